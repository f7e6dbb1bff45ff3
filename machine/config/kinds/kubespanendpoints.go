package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// KubespanEndpointsConfig adds addresses at which other machines find this one, such as those of a NAT.
type KubespanEndpointsConfig struct {
	Header                  `yaml:",inline"`
	ExtraAnnouncedEndpoints []string `yaml:"extraAnnouncedEndpoints" is:"address-port" doc:"Addresses with ports at which this machine is found too."`
}

// Validate says what is wrong with the document.
func (k *KubespanEndpointsConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(k).Elem())
	at.Field("extraAnnouncedEndpoints").Once("the endpoint", k.ExtraAnnouncedEndpoints)
}

// Example is a document of the kind.
func (*KubespanEndpointsConfig) Example() string {
	return `apiVersion: v1alpha1
kind: KubeSpanEndpointsConfig
extraAnnouncedEndpoints:
  - 192.168.13.46:52000
`
}
