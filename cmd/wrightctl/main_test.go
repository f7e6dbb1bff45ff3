package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/cli/clitest"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestMain lets the test binary be wrightctl itself when a script or an example calls it by that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wrightctl": main})
}

// TestScripts runs testdata/script: one file a behaviour, each in a copy of testdata/examples.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return os.CopyFS(e.WorkDir, os.DirFS("testdata/examples"))
		},
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("BOOTWRIGHT_UPDATE") == "1",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": clitest.Exits,
			"mode":  clitest.Mode,
		},
	})
}

func TestExamples(t *testing.T) {
	t.Parallel()
	clitest.Examples(t, func() *cobra.Command { return newRootCommand(&app{}) }, "testdata/examples")
}

func TestManual(t *testing.T) {
	t.Parallel()
	clitest.Manual(t, "../../docs/wrightctl.md", "testdata/examples")
}

func TestManualListsAll(t *testing.T) {
	t.Parallel()
	clitest.Listed(t, newRootCommand(&app{}), "../../docs/wrightctl.md")
}

// TestNoBuildCode keeps what builds images out of the program, and the program small.
func TestNoBuildCode(t *testing.T) {
	t.Parallel()
	const module = "github.com/bootwright/bootwright/"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		room, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(dep), module), "/")
		if strings.HasPrefix(dep, module) && !strings.Contains(" cmd machine formats internal ", " "+room+" ") {
			t.Errorf("wrightctl links %s", dep)
		}
	}
	program := filepath.Join(t.TempDir(), "wrightctl")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	st, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	const most = 15 << 20
	if st.Size() > most {
		t.Errorf("wrightctl has %d bytes, more than %d", st.Size(), most)
	}
	t.Logf("wrightctl has %d bytes", st.Size())
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	clitest.Interrupt(t, "wrightctl", "validate", "--config", "-")
}

// BenchmarkGenConfig measures the whole command, with secrets that are there and with new ones.
func BenchmarkGenConfig(b *testing.B) {
	for name, flag := range map[string]string{"with-secrets": "--with-secrets=testdata/examples/site7/secrets.yaml", "rsa-2048": "--service-account-key=rsa-2048", "rsa-4096": "--service-account-key=rsa-4096"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a := &app{stdout: io.Discard, stderr: io.Discard, now: time.Now()}
				if code := run(b.Context(), a, []string{"gen", "config", "site7", "https://10.0.0.1:6443", flag, "-f", "-o", b.TempDir()}); code != 0 {
					b.Fatalf("exit code %d", code)
				}
			}
		})
	}
}
