package sntptest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/internal/oracle"
)

// Chrony starts chronyd as a server on a UDP address until the test ends. It serves the time of this machine as of stratum 5
// and may not touch it. It takes a moment to answer.
func Chrony(t testing.TB, address string) {
	t.Helper()
	chronyd := oracle.Need(t, "chronyd")
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "chrony.conf")
	text := "local stratum 5\nallow 127.0.0.1\nbindaddress " + host + "\ncmdport 0\nport " + port + "\npidfile " + dir + "/pid\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(chronyd, "-d", "-x", "-U", "-f", conf)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("chronyd said:\n%s", said)
		}
	})
}
