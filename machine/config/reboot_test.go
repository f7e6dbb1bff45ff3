package config

import (
	"reflect"
	"slices"
	"testing"

	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

func TestNeedReboot(t *testing.T) {
	for text, want := range map[string][]string{
		"version: v1alpha1\ndebug: true\nmachine: {type: worker, network: {hostname: b}, sysctls: {a: b}, kernel: {modules: [{name: x}]}}\ncluster: {id: x}\n": nil,
		"version: v1alpha1\nmachine: {type: worker, certSANs: [a], controlPlane: {scheduler: {disabled: true}}}\n":                                             nil,
		"version: v1alpha1\nmachine: {type: controlplane, token: x, files: [{path: /a}]}\n":                                                                    {".machine.type", ".machine.token", ".machine.files"},
		"version: v1alpha1\nmachine: {type: worker, features: {rbac: true, kubernetesTalosAPIAccess: {enabled: true}}}\n":                                      {".machine.features.rbac"},
	} {
		old, now := mainDocument(t, "version: v1alpha1\nmachine: {type: worker, network: {hostname: a}}\n"), mainDocument(t, text)
		if got := NeedReboot(old, now); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if got := NeedReboot(now, now); got != nil {
			t.Errorf("%s: %q differ from themselves", text, got)
		}
	}
}

// TestImmediate: every field of the list is one that there is.
func TestImmediate(t *testing.T) {
	listed := 0
	for path, value := range map[string]any{
		"": v1alpha1.Config{}, ".machine": v1alpha1.Machine{}, ".machine.features": v1alpha1.Features{},
	} {
		for i := range reflect.TypeOf(value).NumField() {
			if immediate(path + "." + reflect.TypeOf(value).Field(i).Tag.Get("yaml")) {
				listed++
			}
		}
	}
	if listed != 20 {
		t.Errorf("%d fields of the list are there, the guide has 20", listed)
	}
}

func mainDocument(t *testing.T, text string) *v1alpha1.Config {
	t.Helper()
	c, err := Load("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c.Main()
}
