package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/cli/clitest"
)

// TestDocs runs the README and the manuals. In a block fenced as console, a line that begins with "$ " is a command, and the
// lines up to the next one are what it prints; "..." stands for any lines, or for any text within one. The commands of a
// page run in order in a folder of its own, which begins with the help texts' examples. If BOOTWRIGHT_TEST_BASE names a base, it
// has also what `make iso` leaves in _out; what needs that is compared with all numbers and digests taken as equal.
//
// Commands of make are what CI consists of, and only looked up. Machines are booted with BOOTWRIGHT_VM=1. Commands within the
// text or in indented blocks are parsed and not run. The page of wrightctl is for its own tests, and the
// commands of the one about registries run in TestRegistriesPage.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md") {
		if filepath.Base(page) == "wrightctl.md" {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			for _, command := range mentioned(string(text)) {
				if err := clitest.Parse(newRootCommand(&app{stdout: io.Discard}), command); err != nil {
					t.Errorf("%s: %v", command, err)
				}
			}
			if all := sessions(string(text)); len(all) > 0 && filepath.Base(page) != "registries.md" {
				dir := docsFolder(t)
				for _, s := range all {
					t.Run(fmt.Sprint("line ", s.line), func(t *testing.T) { s.run(t, dir) })
				}
			}
		})
	}
}

func TestDocsListAll(t *testing.T) {
	t.Parallel()
	clitest.Listed(t, newRootCommand(&app{stdout: io.Discard}), "../../docs/cli.md")
}

// docsFolder is where the commands of a page run.
func docsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/examples")); err != nil {
		t.Fatal(err)
	}
	base := os.Getenv("BOOTWRIGHT_TEST_BASE")
	if base == "" {
		return dir
	}
	program, err := exec.LookPath("bootwright")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "_out"), 0o777)
	}
	for name, target := range map[string]string{"bootwright": program, "base-amd64": base} {
		if err == nil {
			err = os.Symlink(target, filepath.Join(dir, "_out", name))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bootwright", "build", "iso", "--base", "oci:"+base, "-o", filepath.Join(dir, "_out"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
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

// mentioned are the commands with flags that a page has outside its console blocks.
func mentioned(text string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?m)(?:^    |`)(?:_out/)?(bootwright [^`\n]*? -[^`\n]*?)(?:  |`|$)").FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(m[1], " --help") {
			out = append(out, m[1])
		}
	}
	return out
}

func (d documented) run(t *testing.T, dir string) {
	built := strings.Contains(d.command, "_out/")
	switch {
	case strings.HasPrefix(d.command, "make "):
		d.lookUp(t)
		return
	case strings.Contains(d.command, " base build "): // `make iso` does
		if err := clitest.Parse(newRootCommand(&app{stdout: io.Discard}), d.command); err != nil {
			t.Error(err)
		}
		return
	case built && os.Getenv("BOOTWRIGHT_TEST_BASE") == "":
		t.Skip("SKIPPED, NOT PASSED: BOOTWRIGHT_TEST_BASE names no base; `make test` does")
	case strings.Contains(d.command, "bootwright boot ") && os.Getenv("BOOTWRIGHT_VM") != "1":
		t.Skip("SKIPPED, NOT PASSED: BOOTWRIGHT_VM is not 1; `make test` boots machines")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", d.command)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if built && len(d.want) == 0 { // what it prints is not shown
		if code := cmd.ProcessState.ExitCode(); code != 0 && code != 6 { // 6 is an answer
			t.Errorf("%s: %v\n%s", d.command, err, text)
		}
		return
	}
	got, want := strings.TrimSuffix(withoutProgress(string(text)), "\n"), strings.Join(d.want, "\n")
	if built {
		got, want = unnumbered(strings.ReplaceAll(got, "\r", "")), unnumbered(want)
	}
	if !clitest.Printed(strings.Split(got, "\n"), strings.Split(want, "\n")) {
		t.Errorf("%s\nprints\n%s\nnot\n%s", d.command, text, strings.Join(d.want, "\n"))
	}
}

// lookUp checks that the Makefile has the targets of the command.
func (d documented) lookUp(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range strings.Fields(d.command)[1:] {
		if !strings.Contains(target, "=") && !strings.Contains(string(makefile), "\n"+target+": ") {
			t.Errorf("%s: the Makefile has no target %s", d.command, target)
		}
	}
}

// withoutProgress is text without what a step of more than a second leaves on a slow machine.
func withoutProgress(text string) string {
	return regexp.MustCompile(`(?m)^.+( \.\.\.|: (done in .*|[0-9.]+ ([KMG]i)?B(,| of| in) .*/s.*|[0-9m]+s))\n`).ReplaceAllString(text, "")
}

// unnumbered is text with every digest, identifier, version, size and other number replaced by a #. The test base's kernel
// is Debian's for clouds, which its version tells.
func unnumbered(text string) string {
	text = regexp.MustCompile(`\b[0-9a-f]{12,}\b|\b[0-9A-Fa-f]{4,8}(-[0-9A-Fa-f]{4,12})+\b`).ReplaceAllString(text, "#")
	return regexp.MustCompile(`\b[0-9]+([.-][0-9]+)*(-cloud)?( [KMG]?i?B\b)?`).ReplaceAllString(text, "#")
}
