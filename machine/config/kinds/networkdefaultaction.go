package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// NetworkDefaultActionConfig says what becomes of incoming traffic that no NetworkRuleConfig is about.
type NetworkDefaultActionConfig struct {
	Header  `yaml:",inline"`
	Ingress string `yaml:"ingress" enum:"accept|block" required:"yes" doc:"What becomes of incoming traffic that no rule lets in."`
}

// Validate says what is wrong with the document.
func (n *NetworkDefaultActionConfig) Validate(at check.Place) { at.Tags(reflect.ValueOf(n).Elem()) }

// Example is a document of the kind.
func (*NetworkDefaultActionConfig) Example() string {
	return `apiVersion: v1alpha1
kind: NetworkDefaultActionConfig
ingress: accept
`
}
