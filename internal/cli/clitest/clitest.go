// Package clitest tests command lines by what is written about them: the examples of their help, the consoles of their
// manuals, and scripts.
package clitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Exits is a command for scripts: "exits CODE command..." is like exec, for a command that must end with this exit code.
func Exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		got = failed.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// Mode is a command for scripts: "mode OCTAL FILE..." fails unless the files have these permissions.
func Mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL FILE...")
	}
	for _, name := range args[1:] {
		st, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", st.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, not %s", name, got, args[0])
		}
	}
}

// Interrupt stops a program while it waits for standard input: it has to say so, and to end with the exit code of that.
func Interrupt(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: once it is written, the program is reading, and signals are caught.
	if _, err := stdin.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	failed, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || failed.ExitCode() != 130 || stderr.String() != "error: interrupted\n" {
		t.Errorf("%v, standard error %q", failed, stderr.String())
	}
}

// folder is a new copy of dir.
func folder(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// shell runs a line in dir, which is the home folder too.
func shell(t *testing.T, dir, options, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", options, line)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Manual runs a page of documentation: in a block fenced as console, a line that begins with "$ " is a command, and the
// lines up to the next one are what it prints; "..." stands for any text in a line, and alone for any lines. The commands
// below one heading share a folder, which begins as a copy of dir.
func Manual(t *testing.T, page, dir string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range sessions(string(text)) {
		t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), session[0].line), func(t *testing.T) {
			t.Parallel()
			work := folder(t, dir)
			for _, c := range session {
				out, err := shell(t, work, "-c", c.command)
				if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
					t.Fatal(err)
				}
				if !Printed(slices.Collect(strings.Lines(out)), c.want) {
					t.Errorf("line %d: %s\nprints\n%s\nnot\n%s", c.line, c.command, out, strings.Join(c.want, ""))
				}
			}
		})
	}
}

// command is one of a manual, and the lines that it is said to print.
type command struct {
	line    int
	command string
	want    []string
}

// sessions are the commands below each heading that has some.
func sessions(text string) [][]command {
	var out [][]command
	var session []command
	inside := false
	for i, line := range slices.Collect(strings.Lines(text + "\n#\n")) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console\n"
		case inside && strings.HasPrefix(line, "$ "):
			session = append(session, command{i + 1, line[2:], nil})
		case inside:
			last := &session[len(session)-1]
			last.want = append(last.want, line)
		case strings.HasPrefix(line, "#") && session != nil:
			out, session = append(out, session), nil
		}
	}
	return out
}

// Printed reports whether the lines of got are those of want, where "..." stands for any text in a line, and alone for any lines.
func Printed(got, want []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case strings.TrimSuffix(want[0], "\n") == "...":
		return Printed(got, want[1:]) || len(got) > 0 && Printed(got[1:], want)
	}
	return len(got) > 0 && matches(got[0], want[0]) && Printed(got[1:], want[1:])
}

// matches reports whether a line is what is wanted.
func matches(line, want string) bool {
	parts := strings.Split(want, "...")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(line)
}
