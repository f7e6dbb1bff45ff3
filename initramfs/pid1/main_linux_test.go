package pid1

import (
	"bytes"
	"strings"
	"testing"
)

// TestProgram tries the program as any process but the first.
func TestProgram(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"/init", 2, "it runs as process 1, or as modprobe"},
		{"/init --help", 2, "it runs as process 1, or as modprobe"},
		{"/sbin/modprobe", 1, "modprobe: name a kernel module"},
		{"/init modprobe", 1, "modprobe: name a kernel module"},
		{"/sbin/modprobe -x", 1, "modprobe: unknown flag -x"},
	} {
		var stderr bytes.Buffer
		if status := Main(strings.Fields(c.args), &stderr); status != c.status || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: status %d, says %q", c.args, status, stderr.String())
		}
	}
}
