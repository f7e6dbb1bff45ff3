package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// KmsgLogConfig sends the kernel's log somewhere.
type KmsgLogConfig struct {
	Named `yaml:",inline"`
	URL   string `yaml:"url" is:"url tcp udp" required:"yes" doc:"Where to: tcp:// or udp://, a host and a port."`
}

// Validate says what is wrong with the document.
func (k *KmsgLogConfig) Validate(at check.Place) { at.Tags(reflect.ValueOf(k).Elem()) }

// Example is a document of the kind.
func (*KmsgLogConfig) Example() string {
	return `apiVersion: v1alpha1
kind: KmsgLogConfig
name: remote-log
url: tcp://192.168.3.7:3478/
`
}
