package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// EventSinkConfig sends the machine's events somewhere.
type EventSinkConfig struct {
	Header   `yaml:",inline"`
	Endpoint string `yaml:"endpoint" is:"host-port" required:"yes" doc:"Host and port that events are sent to, over gRPC."`
}

// Validate says what is wrong with the document.
func (e *EventSinkConfig) Validate(at check.Place) { at.Tags(reflect.ValueOf(e).Elem()) }

// Example is a document of the kind.
func (*EventSinkConfig) Example() string {
	return `apiVersion: v1alpha1
kind: EventSinkConfig
endpoint: 192.168.10.3:3247
`
}
