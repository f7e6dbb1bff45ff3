package config

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// NeedReboot are the fields of the main document, as .machine.token, that differ and that a running machine takes over only
// with a reboot: all but those that the configuration guide of Talos Linux 1.9 lists in its section 6.
func NeedReboot(old, now *v1alpha1.Config) []string {
	return differing("", reflect.ValueOf(*old), reflect.ValueOf(*now))
}

func differing(path string, old, now reflect.Value) (out []string) {
	for i := range old.NumField() {
		name := path + "." + old.Type().Field(i).Tag.Get("yaml")
		switch {
		case immediate(name) || reflect.DeepEqual(old.Field(i).Interface(), now.Field(i).Interface()):
		case name == ".machine" || name == ".machine.features":
			out = append(out, differing(name, old.Field(i), now.Field(i))...)
		default:
			out = append(out, name)
		}
	}
	return out
}

// immediate is the list of the guide, with the names that the fields have.
func immediate(field string) bool {
	switch field {
	case ".debug", ".cluster", ".machine.time", ".machine.ca", ".machine.acceptedCAs", ".machine.certSANs", ".machine.install",
		".machine.network", ".machine.nodeAnnotations", ".machine.nodeLabels", ".machine.nodeTaints", ".machine.sysfs",
		".machine.sysctls", ".machine.logging", ".machine.controlPlane", ".machine.kubelet", ".machine.pods", ".machine.kernel",
		".machine.registries", ".machine.features.kubernetesTalosAPIAccess":
		return true
	}
	return false
}
