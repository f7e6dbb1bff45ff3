package identity

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

// TestWriteID: the ID of a machine stays the same, with and without hardware that tells it from others.
func TestWriteID(t *testing.T) {
	for _, hardware := range []string{"4C4C4544-0000", ""} {
		m := fake.New(t, map[string]string{"proc/sys/kernel/random/uuid": "0b4e1d3a-1111-4222-8333-444455556666\n", "etc/machine-id": "", "var/": ""})
		first, err := WriteID(m, hardware)
		if err != nil || !regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(first) {
			t.Errorf("%q, %v", first, err)
		}
		m.Remove("/proc/sys/kernel/random/uuid")
		if again, err := WriteID(m, strings.ToLower(hardware)); again != first || err != nil {
			t.Errorf("%q, then %q, %v", first, again, err)
		}
		if p, _ := m.ReadFile("/etc/machine-id"); string(p) != first+"\n" {
			t.Errorf("%q", p)
		}
	}
}

// TestWriteRelease: os-release is ours, and the base's that it was a link to stays.
func TestWriteRelease(t *testing.T) {
	m := fake.New(t, map[string]string{"usr/lib/os-release": "ID=debian\n", "etc/os-release": "-> ../usr/lib/os-release"})
	if err := WriteRelease(m, "v1.2.3", "debian-12 7"); err != nil {
		t.Fatal(err)
	}
	p, _ := m.ReadFile("/etc/os-release")
	base, _ := m.ReadFile("/usr/lib/os-release")
	if !strings.Contains(string(p), "ID=bootwright\n") || !strings.Contains(string(p), `VERSION_ID="1.2.3"`) || string(base) != "ID=debian\n" {
		t.Errorf("%s; %s", p, base)
	}
}

func TestHostname(t *testing.T) {
	a, b := Hostname("4C4C4544-0000"), Hostname("4C4C4544-0001")
	if !regexp.MustCompile(`^bootwright-[0-9a-f]{6}$`).MatchString(a) || a == b || a != Hostname("4C4C4544-0000") {
		t.Errorf("%s, %s", a, b)
	}
}
