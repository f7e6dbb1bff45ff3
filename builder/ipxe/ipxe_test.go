package ipxe

import "testing"

func TestScript(t *testing.T) {
	for _, c := range []struct{ base, want string }{
		{"http://boot/x", "#!ipxe\nkernel http://boot/x/k initrd=i initrd=c a=\\${b}\ninitrd http://boot/x/i\ninitrd http://boot/x/c\nboot\n"},
		{"http://boot/x/", "#!ipxe\nkernel http://boot/x/k initrd=i initrd=c a=\\${b}\ninitrd http://boot/x/i\ninitrd http://boot/x/c\nboot\n"},
		{"", "#!ipxe\nkernel k initrd=i initrd=c a=\\${b}\ninitrd i\ninitrd c\nboot\n"},
	} {
		if got := Script(c.base, "k", []string{"i", "c"}, "a=${b}"); got != c.want {
			t.Errorf("below %q: %q, want %q", c.base, got, c.want)
		}
	}
}
