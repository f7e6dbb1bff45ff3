package vm

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"
)

// Escape is the key that leaves a machine's console, and EscapeName what a person calls it.
const (
	Escape     = 0x1d
	EscapeName = "Ctrl-]"
)

// sane undoes what firmware does to a terminal: no colors, lines wrap, the cursor is seen (ECMA-48; DECAWM, DECTCEM).
const sane = "\x1b[0m\x1b[?7h\x1b[?25h\r\n"

// Terminal gives every key typed on the terminal tty to the machine, Ctrl-C too, except Escape, which calls quit.
// restore gives the terminal back as it was. Where tty is no terminal, nothing is typed and keys is nil.
func Terminal(tty *os.File, quit func()) (keys io.Reader, restore func(), err error) {
	fd := int(tty.Fd())
	if !term.IsTerminal(fd) {
		return nil, func() {}, nil
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, err
	}
	restore = func() {
		tty.WriteString(sane)
		term.Restore(fd, old)
	}
	return &keyboard{tty, quit}, restore, nil
}

// keyboard reads what is typed up to Escape.
type keyboard struct {
	in   io.Reader
	quit func()
}

func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.in.Read(p)
	if i := bytes.IndexByte(p[:n], Escape); i >= 0 {
		k.quit()
		return i, io.EOF
	}
	return n, err
}
