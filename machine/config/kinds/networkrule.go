package kinds

import (
	"net/netip"
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/value"
)

// NetworkRuleConfig lets traffic from subnets in.
type NetworkRuleConfig struct {
	Named        `yaml:",inline"`
	PortSelector PortSelector `yaml:"portSelector" doc:"The ports that the rule is about."`
	Ingress      []Ingress    `yaml:"ingress" merge:"replace" doc:"Where traffic may come from."`
}

// PortSelector is the ports that a rule is about.
type PortSelector struct {
	Ports    []value.Ports `yaml:"ports" merge:"replace" doc:"Ports, or ranges of them."`
	Protocol string        `yaml:"protocol" enum:"tcp|udp|icmp|icmpv6" doc:"Protocol of the ports."`
}

// Ingress is where traffic may come from.
type Ingress struct {
	Subnet string `yaml:"subnet" is:"cidr" required:"yes" doc:"Subnet that is let in."`
	Except string `yaml:"except" is:"cidr" doc:"Part of the subnet that is not."`
}

// Validate says what is wrong with the document.
func (n *NetworkRuleConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(n).Elem())
	if n.PortSelector.Protocol == "" {
		at.Field("portSelector.protocol").Fault("", "the field is required")
	}
	if len(n.PortSelector.Ports) == 0 {
		at.Field("portSelector.ports").Fault("", "the field is required")
	}
	for i, a := range n.PortSelector.Ports {
		if a.First == 0 {
			at.Field("portSelector.ports").Item(i).Fault("", "there is no port 0")
		}
		for _, b := range n.PortSelector.Ports[:i] {
			if a.First <= b.Last && b.First <= a.Last {
				at.Field("portSelector.ports").Item(i).Fault("", "%s overlaps %s", a, b)
			}
		}
	}
	for i, in := range n.Ingress {
		subnet, err1 := netip.ParsePrefix(in.Subnet)
		except, err2 := netip.ParsePrefix(in.Except)
		if err1 == nil && err2 == nil && (!subnet.Overlaps(except) || except.Bits() < subnet.Bits()) {
			at.Field("ingress").Item(i).Field("except").Fault("", "%s is not in %s", in.Except, in.Subnet)
		}
	}
}

// Example is a document of the kind.
func (*NetworkRuleConfig) Example() string {
	return `apiVersion: v1alpha1
kind: NetworkRuleConfig
name: ingress-apid
portSelector:
  ports:
    - 50000
    - 30000-32767
  protocol: tcp
ingress:
  - subnet: 192.168.0.0/16
    except: 192.168.7.0/24
`
}
