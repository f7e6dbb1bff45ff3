package oracle

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TPM starts swtpm until the test ends, with the state in dir, and returns its socket. That is of the kind that role says: "ctrl" as
// QEMU wants it, or "server", which takes commands. More arguments are passed on.
func TPM(t testing.TB, dir, role string, args ...string) (socket string) {
	t.Helper()
	program := Need(t, "swtpm")
	sockets, err := os.MkdirTemp("", "tpm") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(sockets, "s")
	cmd := exec.Command(program, append([]string{"socket", "--tpm2", "--tpmstate", "dir=" + dir, "--" + role, "type=unixio,path=" + socket}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(sockets)
	})
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatal("swtpm makes no socket")
		}
	}
}
