package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// ExtensionServiceConfig configures the service of a system extension.
type ExtensionServiceConfig struct {
	Named       `yaml:",inline"`
	ConfigFiles []ConfigFile `yaml:"configFiles" by:"mountPath"`
	Environment []string     `yaml:"environment" is:"variable-setting"`
}

// ConfigFile is a file that the service sees.
type ConfigFile struct {
	Content   string `yaml:"content" required:"yes"`
	MountPath string `yaml:"mountPath" is:"path" required:"yes"`
}

// Validate says what is wrong with the document.
func (e *ExtensionServiceConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(e).Elem())
	paths := make([]string, len(e.ConfigFiles))
	for i, f := range e.ConfigFiles {
		paths[i] = f.MountPath
	}
	at.Field("configFiles").Once("the path", paths)
	if len(e.ConfigFiles) == 0 && len(e.Environment) == 0 {
		at.Fault("", "either configFiles or environment is needed")
	}
}

// Example is a document of the kind.
func (*ExtensionServiceConfig) Example() string {
	return `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: nut-client
configFiles:
  - content: MONITOR ups@host 1 remote pass password
    mountPath: /usr/local/etc/nut/upsmon.conf
environment:
  - NUT_UPS=upsname
`
}
