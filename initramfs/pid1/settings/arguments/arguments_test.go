package arguments

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

func TestMissing(t *testing.T) {
	for line, want := range map[string]int{"slab_nomerge pti=on": 0, "slab_nomerge pti=off": 1, "pti=on": 1, "": 2} {
		if runtime.GOARCH != "amd64" { // pti is of amd64
			want = map[string]int{"pti=on": 1, "": 1}[line]
		}
		if got := Missing(fake.New(t, map[string]string{"proc/cmdline": line})); len(got) != want {
			t.Errorf("%q: %+v", line, got)
		}
	}
	if got := Missing(fake.New(t, nil)); len(got) != 1 || got[0].State != bootreport.Refused {
		t.Errorf("nobody knows: %+v", got)
	}
}

// TestExtra: an argument is there as it is written; one that is to go is gone only with every value.
func TestExtra(t *testing.T) {
	m := fake.New(t, map[string]string{"proc/cmdline": "a=1 b quiet"})
	install := &v1alpha1.Install{}
	want := map[string]string{"a=1": "applied", "a=2": "pending", "b": "applied", "c": "pending", "-a": "pending", "-a=2": "applied", "-c": "applied"}
	for text, state := range want {
		install.ExtraKernelArgs = []string{text}
		if got := Extra(m, install); len(got) != 1 || fmt.Sprint(got[0].State) != state {
			t.Errorf("%s: %+v, want %s", text, got, state)
		}
	}
	if got := Extra(m, nil); got != nil {
		t.Errorf("%+v", got)
	}
}
