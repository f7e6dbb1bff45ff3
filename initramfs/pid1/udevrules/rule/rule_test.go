package rule

import (
	"strings"
	"testing"
)

// TestFits: wildcards stand for slashes in a DEVPATH, and in others they do not.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		line, value string
		want        bool
	}{
		{`KERNEL=="sd*|vd?"`, "vda", true}, {`KERNEL=="sd*|vd?"`, "vda1", false}, {`KERNEL!="sd*"`, "vda", true}, {`KERNEL!="sd*"`, "sda", false},
		{`DEVPATH=="/devices/*/sda"`, "/devices/pci/host0/sda", true}, {`ATTR{a}=="*"`, "x/y", false},
	} {
		r, err := Parse(c.line + `, MODE="0600"`)
		if err != nil || r.Matches[0].Fits(c.value) != c.want {
			t.Errorf("%s of %s: %+v, %v", c.line, c.value, r, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`KERNEL=="null", ATTR{a/b}!="x|y*", MODE="0640", SYMLINK+="a b"`)
	f.Fuzz(func(t *testing.T, line string) {
		if r, err := Parse(line); err == nil && (len(r.Matches) == 0 || r.Mode > 0o777 || strings.Contains(strings.Join(r.Links, "/"), "..")) {
			t.Errorf("%q is %+v", line, r)
		}
	})
}
