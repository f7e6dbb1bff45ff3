package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs runs the manuals: in a block fenced as console, a line that begins with "$ " is a command, and the lines up to
// the next one are what it prints; a line "..." stands for any lines. The folder is that of the help texts' examples.
func TestDocs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cli.md", "profiles.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sessions(string(text)) {
			t.Run(fmt.Sprintf("%s:%d", name, s.line), func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(t.Context(), "sh", "-c", s.command)
				cmd.Dir = t.TempDir()
				if err := os.CopyFS(cmd.Dir, os.DirFS("testdata/examples")); err != nil {
					t.Fatal(err)
				}
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState == nil {
					t.Fatal(err)
				}
				if !printed(strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), s.want) {
					t.Errorf("%s\nprints\n%s\nnot\n%s", s.command, out, strings.Join(s.want, "\n"))
				}
			})
		}
	}
}

// documented is a command and what the manual says that it prints.
type documented struct {
	line    int
	command string
	want    []string
}

func sessions(text string) []documented {
	var out []documented
	console := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			console = line == "```console"
		case console && strings.HasPrefix(line, "$ "):
			out = append(out, documented{i + 1, line[2:], nil})
		case console:
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
