package vm

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTerminal(t *testing.T) {
	person, tty := openPTY(t)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	quits := 0
	keys, restore, err := Terminal(tty, func() { quits++ })
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(person, "ls\x03\x1d")
	var typed []byte
	for buf := make([]byte, 16); err == nil; {
		var n int
		n, err = keys.Read(buf)
		typed = append(typed, buf[:n]...)
	}
	if string(typed) != "ls\x03" || quits != 1 {
		t.Errorf("the machine got %q, %d quits; want Ctrl-C to reach it and Ctrl-] to quit once", typed, quits)
	}
	restore()
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v\n%+v\n%+v", err, before, after)
	}
	shown := make([]byte, 100)
	if n, _ := person.Read(shown); !strings.Contains(string(shown[:n]), "\x1b[?7h") {
		t.Errorf("the terminal was told %q", shown[:n])
	}
}

func TestNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys, restore, err := Terminal(f, nil)
	if keys != nil || err != nil {
		t.Errorf("Terminal = %v, %v", keys, err)
	}
	restore()
}

// openPTY is a pseudo-terminal (pts(4)): what the person types and sees, and the program's side of it.
func openPTY(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return person, tty
}
