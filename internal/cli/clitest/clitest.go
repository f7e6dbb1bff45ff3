// Package clitest tests command lines by what is written about them: the examples of their help, the consoles of their
// manuals, and scripts.
package clitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
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

// Examples runs every example of every help text below the command that newRoot makes, each in a folder of its own that
// begins as a copy of dir. The program has to be in PATH, as testscript.Main puts it there.
func Examples(t *testing.T, newRoot func() *cobra.Command, dir string) {
	for _, e := range examples(newRoot()) {
		t.Run(e.line, func(t *testing.T) {
			t.Parallel()
			if e.parseOnly {
				if err := e.parse(newRoot()); err != nil {
					t.Fatal(err)
				}
				return
			}
			if out, err := shell(t, dir, "-ec", e.line); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// shell runs a line in a copy of dir.
func shell(t *testing.T, dir, options, line string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", options, line)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir)
	if err := os.CopyFS(cmd.Dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return cmd.CombinedOutput()
}

// example is one command line of a help text.
type example struct {
	line      string
	parseOnly bool
}

// examples are those of cmd and of all commands below it.
func examples(cmd *cobra.Command) []example {
	var out []example
	for line := range strings.Lines(cmd.Example) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, example{line, cmd.Annotations[cli.ParseOnly] != ""})
		}
	}
	for _, child := range cmd.Commands() {
		out = append(out, examples(child)...)
	}
	return out
}

// parse checks that the line's command exists and takes these flags and arguments.
func (e example) parse(root *cobra.Command) error {
	words := strings.Fields(e.line)
	if words[0] != root.Name() {
		return fmt.Errorf("the example does not begin with %s", root.Name())
	}
	cmd, args, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// Manual runs a page of documentation: in a block fenced as console, a line that begins with "$ " is a command, and the
// lines up to the next one are what it prints; a line "..." stands for any lines. Every command runs in a copy of dir.
func Manual(t *testing.T, page, dir string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range consoles(string(text)) {
		t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), c.line), func(t *testing.T) {
			t.Parallel()
			out, _ := shell(t, dir, "-c", c.command)
			if !printed(strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), c.want) {
				t.Errorf("%s\nprints\n%s\nnot\n%s", c.command, out, strings.Join(c.want, "\n"))
			}
		})
	}
}

// console is a command and what the manual says that it prints.
type console struct {
	line    int
	command string
	want    []string
}

func consoles(text string) []console {
	var out []console
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			out = append(out, console{i + 1, line[2:], nil})
		case inside:
			last := &out[len(out)-1]
			last.want = append(last.want, line)
		}
	}
	return out
}

// printed reports whether got is want, where "..." stands for any lines.
func printed(got, want []string) bool {
	if len(want) == 0 {
		return len(got) == 1 && got[0] == ""
	}
	if want[0] == "..." {
		for skip := range len(got) + 1 {
			if len(want) == 1 || printed(got[skip:], want[1:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && got[0] == want[0] && (len(want) == 1 && len(got) == 1 || printed(got[1:], want[1:]))
}
