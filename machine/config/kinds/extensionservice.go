package kinds

import (
	"reflect"
	"strings"

	"github.com/bootwright/bootwright/machine/config/check"
)

// ExtensionServiceConfig configures the service of a system extension.
type ExtensionServiceConfig struct {
	Named       `yaml:",inline"`
	ConfigFiles []ConfigFile `yaml:"configFiles" by:"mountPath" doc:"Files that the service sees."`
	Environment []string     `yaml:"environment" is:"variable-setting" doc:"Environment variables of the service, as NAME=value."`
}

// ConfigFile is a file that the service sees.
type ConfigFile struct {
	Content   string `yaml:"content" required:"yes" doc:"What is in the file."`
	MountPath string `yaml:"mountPath" is:"path" required:"yes" doc:"Where the service has the file."`
}

// Validate says what is wrong with the document.
func (e *ExtensionServiceConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(e).Elem())
	paths := make([]string, len(e.ConfigFiles))
	for i, f := range e.ConfigFiles {
		paths[i] = f.MountPath
	}
	at.Field("configFiles").Once("the path", paths)
	names := make([]string, len(e.Environment))
	for i, setting := range e.Environment {
		names[i], _, _ = strings.Cut(setting, "=")
	}
	at.Field("environment").OnceIsEnough("the variable", names)
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
