package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be bootwright itself when a script or an example calls it by that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bootwright": main})
}

// TestScripts runs testdata/script: one file a behaviour. Beside testscript's own commands there is
//
//	exits CODE command...   like exec, for a command that must end with this exit code
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("BOOTWRIGHT_UPDATE") == "1",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": runExits,
		},
	})
}

func runExits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// TestExamples runs every example of every help text in a folder of its own.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples(newRootCommand(&app{})) {
		t.Run(e.line, func(t *testing.T) {
			t.Parallel()
			if e.parseOnly {
				if err := e.parse(); err != nil {
					t.Fatal(err)
				}
				return
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-ec", e.line)
			cmd.Dir = t.TempDir()
			if err := os.CopyFS(cmd.Dir, os.DirFS("testdata/examples")); err != nil {
				t.Fatal(err)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestInterrupt stops bootwright while it waits for standard input.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "bootwright", "profiles", "show", "-")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: once it is written, bootwright is reading, and signals are caught.
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
