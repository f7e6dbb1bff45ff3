package pid1

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
)

// threeExtensions puts the extensions a, b and c into the initramfs of m; each has a file of its own, and the file x.
func threeExtensions(t *testing.T, m *fake.Machine) {
	var list strings.Builder
	list.WriteString("layers:\n")
	for i, name := range []string{"a", "b", "c"} {
		image := "/00" + string(rune('0'+i)) + "." + name + ".sqsh"
		must(t, m.WriteFile(image, []byte(squashfs(4096)), 0o644))
		m.Contents[image] = map[string]string{"usr/local/" + name: name, "usr/local/x": name}
		list.WriteString("- {image: " + image[1:] + ", metadata: {name: " + name + ", version: '1', description: '" + strings.Repeat("é", 1000) + "'}}\n")
	}
	must(t, m.WriteFile("/extensions.yaml", []byte(list.String()), 0o644))
}

// TestExtensions: layers lie over the base in their order, and the machine comes up without one that cannot be mounted.
func TestExtensions(t *testing.T) {
	for name, c := range map[string]struct {
		spoil      func(t *testing.T, m *fake.Machine)
		has, lacks string // files of usr/local
		x          string // who provides it
		fault      string
	}{
		"good":    {func(*testing.T, *fake.Machine) {}, "a b c", "", "c", ""},
		"missing": {func(t *testing.T, m *fake.Machine) { must(t, m.Remove("/002.c.sqsh")) }, "a b", "c", "b", "extension c 1 is left out: root image /002.c.sqsh: open"},
		"truncated": {func(t *testing.T, m *fake.Machine) {
			must(t, m.WriteFile("/001.b.sqsh", []byte(squashfs(9000)[:4096]), 0))
		}, "a c", "b", "c", "extension b 1 is left out: root image /001.b.sqsh: truncated"},
		"refused": {func(t *testing.T, m *fake.Machine) { m.MountErrors[rootfs.Layers+"/0"] = syscall.EINVAL }, "b c", "a", "c", "extension a 1 is left out"},
		"all": {func(t *testing.T, m *fake.Machine) {
			for _, image := range []string{"/000.a.sqsh", "/001.b.sqsh", "/002.c.sqsh"} {
				must(t, m.WriteFile(image, []byte("soup"), 0))
			}
		}, "", "a b c x", "", "not a squashfs image"},
		"bad list": {func(t *testing.T, m *fake.Machine) {
			must(t, m.WriteFile("/extensions.yaml", []byte("layers: [{image: ../x}]"), 0))
		}, "", "a b c x", "", "no file of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func(t *testing.T, m *fake.Machine) { threeExtensions(t, m); c.spoil(t, m) }
			m := bubble(t, good, prepare, func(t *testing.T, m *fake.Machine) {
				for _, f := range strings.Fields(c.has) {
					if _, err := m.ReadFile("/usr/local/" + f); err != nil {
						t.Error(err)
					}
				}
				for _, f := range strings.Fields(c.lacks) {
					if _, err := m.ReadFile("/usr/local/" + f); err == nil {
						t.Errorf("the machine has %s", f)
					}
				}
				if x, _ := m.ReadFile("/usr/local/x"); string(x) != c.x {
					t.Errorf("x is from %q, want %q", x, c.x)
				}
			})
			r := reportOf(t, m)
			if !strings.Contains(m.Shown(serial), "machine is ready") || c.fault == "" && len(r.Errors) > 0 {
				t.Errorf("ready: %v, errors %+v", r.ReadyMS, r.Errors)
			}
			if c.fault != "" && !strings.Contains(r.Errors[0].Step+": "+r.Errors[0].Error, c.fault) {
				t.Errorf("errors %+v, want %q", r.Errors, c.fault)
			}
		})
	}
}

// TestExtensionStatus: the report and /etc/extensions.yaml say what the machine has.
func TestExtensionStatus(t *testing.T) {
	m := bubble(t, good, threeExtensions, func(t *testing.T, m *fake.Machine) {
		list, err := m.ReadFile("/etc/extensions.yaml")
		if err != nil || !strings.Contains(string(list), "image: 002.c.sqsh") {
			t.Errorf("%s, %v", list, err)
		}
	})
	var ids []string
	r := reportOf(t, m)
	for _, e := range r.Extensions {
		ids = append(ids, e.ID)
		if len(e.Metadata.Description) > 200+len("…") || !strings.HasSuffix(e.Metadata.Description, "é…") {
			t.Errorf("description %q", e.Metadata.Description)
		}
	}
	if !slices.Equal(ids, []string{"000.a", "001.b", "002.c"}) || !slices.Equal(r.Root.Layers, []string{"rootfs", "000.a", "001.b", "002.c"}) {
		t.Errorf("extensions %q, layers %q", ids, r.Root.Layers)
	}
}
