package files

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// TestApply: each entry is done or refused with its reason, whatever becomes of the others.
func TestApply(t *testing.T) {
	m := fake.New(t, map[string]string{"etc/motd": "old", "var/there": "old", "etc/dir/": "", "var/link": "-> /etc", "etc/other": "old"})
	said := New(m).Apply([]v1alpha1.File{
		{Path: "/var/lib/new", Op: "create", Content: "new", Permissions: 0o640},
		{Path: "/var/there", Op: "append", Content: "more"},
		{Path: "/etc/motd", Op: "append", Content: "more"},
		{Path: "/etc/motd", Op: "append", Content: "yet more"},
		{Path: "/etc/other", Op: "overwrite", Content: "new"},
		{Path: "/etc/new", Op: "create"},
		{Path: "/var/../etc/new", Op: "create"},
		{Path: "/var/missing", Op: "overwrite"},
		{Path: "/etc/dir", Op: "append"},
		{Path: "/var/link/passwd", Op: "create", Content: "x"},
		{Path: "/var/there", Op: "remove"},
		{Path: "/etc/cri/conf.d/20-customization.part", Op: "create"},
	})
	for i, want := range []string{
		"applied ", "applied ", "applied ", "applied ", "applied ", `refused create operation not allowed outside of /var: "/etc/new"`,
		`refused create operation not allowed outside of /var: "/etc/new"`, "refused open /var/missing: file does not exist",
		"refused /etc/dir is not a regular file", "refused ", `refused unknown operation for file "/var/there": "remove"`,
		"applied it is part of containerd's configuration",
	} {
		if got := said[i].State + " " + said[i].Reason; !strings.HasPrefix(got, want) || want == "applied " && got != want {
			t.Errorf("%s: %s, want %s", said[i].Name, got, want)
		}
	}
	for name, want := range map[string]string{
		"/var/lib/new": "new", "/var/there": "old\nmore", "/etc/motd": "old\nmore\nyet more", "/var/etc/motd": "old\nmore\nyet more", "/etc/other": "new",
	} {
		if p, err := m.ReadFile(name); string(p) != want {
			t.Errorf("%s is %q, %v; want %q", name, p, err, want)
		}
	}
	if _, err := m.ReadFile("/etc/passwd"); err == nil {
		t.Error("a link led out of /var")
	}
	for _, mount := range m.Mounts {
		if mount.Flags != kernel.ReadOnly {
			t.Errorf("%+v can be written", mount)
		}
	}
}

// TestLive: a change is applied to what the file was at first, the same again is nothing, and what is taken away comes back.
func TestLive(t *testing.T) {
	m := fake.New(t, map[string]string{"etc/motd": "old", "var/": ""})
	f := New(m)
	entry := func(content string) []v1alpha1.File {
		return []v1alpha1.File{{Path: "/etc/motd", Op: "append", Content: content}}
	}
	for _, c := range []struct {
		list   []v1alpha1.File
		want   string
		mounts int
	}{{entry("a"), "old\na", 1}, {entry("a"), "old\na", 1}, {entry("b"), "old\nb", 2}, {nil, "old", 2}, {entry("c"), "old\nc", 3}} {
		for _, a := range f.Apply(c.list) {
			if a.State != bootreport.Applied {
				t.Errorf("%+v", a)
			}
		}
		if p, _ := m.ReadFile("/etc/motd"); string(p) != c.want || len(m.Mounts) != c.mounts {
			t.Errorf("%+v: %q after %d mounts", c.list, p, len(m.Mounts))
		}
	}
	in := []v1alpha1.File{{Path: "/var/log", Op: "create", Content: "x"}, {Path: "/var/log", Op: "append", Content: "y"}}
	New(m).Apply(in)
	New(m).Apply(in[1:])
	if p, _ := m.ReadFile("/var/log"); string(p) != "x\ny" {
		t.Errorf("after another boot: %q", p)
	}
}
