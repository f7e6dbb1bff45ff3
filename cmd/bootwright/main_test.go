package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/cli/clitest"
)

// TestMain lets the test binary be bootwright itself when a script or an example calls it by that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bootwright": main})
}

// TestScripts runs testdata/script: one file a behaviour. Each finds a small base in dir:base and has a cache of its own.
// Beside testscript's own commands and conditions there are
//
//	exits CODE command...   as clitest says, and mode OCTAL FILE...
//	size FILE MIN MAX       fails unless the file has that many bytes
//	[init]                  whether this bootwright carries the init for amd64
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			if err := basetest.MakeExtensible(filepath.Join(e.WorkDir, "extensible"), "amd64"); err != nil {
				return err
			}
			return basetest.Make(filepath.Join(e.WorkDir, "base"), "amd64")
		},
		Condition: func(name string) (bool, error) {
			if name != "init" {
				return false, fmt.Errorf("unknown condition %s", name)
			}
			_, err := embedded.Init("amd64")
			if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") != "1" {
				return err == nil, nil
			}
			return err == nil, err
		},
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("BOOTWRIGHT_UPDATE") == "1",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": clitest.Exits,
			"mode":  clitest.Mode,
			"size":  runSize,
		},
	})
}

func runSize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: size FILE MIN MAX")
	}
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	least, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	most, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	if st.Size() < least || st.Size() > most {
		ts.Fatalf("%s has %d bytes, not %d to %d", args[0], st.Size(), least, most)
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	clitest.Examples(t, func() *cobra.Command { return newRootCommand(&app{stdout: io.Discard}) }, "testdata/examples")
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	clitest.Interrupt(t, "bootwright", "profiles", "show", "-")
}

// TestInterruptOfOutput stops bootwright while nobody takes what it writes.
func TestInterruptOfOutput(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	basetest.Write(t, base, "amd64")
	cmd := exec.CommandContext(t.Context(), "bootwright", "build", "kernel", "--base", "dir:"+base, "--cache-dir", t.TempDir(), "-o", "-")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// One byte of a kernel that is larger than a pipe: bootwright is writing, and soon waits.
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	// Not Wait, which would close the pipe at once.
	state, err := cmd.Process.Wait()
	if err != nil || state.ExitCode() != 130 {
		t.Errorf("%v, %v", state, err)
	}
	if cmd.Wait(); stderr.String() != "error: interrupted\n" {
		t.Errorf("standard error %q", stderr.String())
	}
}
