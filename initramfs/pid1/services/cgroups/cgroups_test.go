package cgroups

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

func TestPrepare(t *testing.T) {
	below := func(dirs ...string) map[string]string {
		files := map[string]string{Root[1:] + "/init/": ""}
		for _, dir := range dirs {
			files[Root[1:]+dir+"/cgroup.controllers"] = "memory\n"
		}
		return files
	}
	m := fake.New(t, below("", "/system", Extensions))
	if err := Prepare(m); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"/init/cgroup.procs": "1", "/cgroup.subtree_control": "+memory", "/system/cgroup.subtree_control": "+memory",
		Extensions + "/cgroup.subtree_control": "+memory", Runtime + "/cgroup.subtree_control": "",
	} {
		if p, _ := m.ReadFile(Root + file); string(p) != want {
			t.Errorf("%s has %q, want %q", file, p, want)
		}
	}
	// A group whose controllers cannot be read does not keep the others from theirs.
	m = fake.New(t, below("", Extensions))
	if err := Prepare(m); err == nil || !strings.Contains(err.Error(), Root+"/system/cgroup.controllers: no such file") {
		t.Errorf("%v", err)
	}
	if p, _ := m.ReadFile(Root + Extensions + "/cgroup.subtree_control"); string(p) != "+memory" {
		t.Errorf("%q", p)
	}
}
