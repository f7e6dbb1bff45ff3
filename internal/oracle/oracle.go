// Package oracle runs other people's tools as judges of what bootwright writes. A judge that is missing skips its test
// with a line that says so; with BOOTWRIGHT_REQUIRE_TOOLS=1, as in CI, it fails the test instead.
package oracle

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// Need is the path of a tool, looked for in PATH and in the folders of system tools.
func Need(t testing.TB, tool string) string {
	t.Helper()
	if p, err := exec.LookPath(tool); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, tool)); err == nil {
			return p
		}
	}
	if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is required here and missing; `make tools` installs it", tool)
	}
	t.Skipf("SKIPPED, NOT PASSED: %s is missing; `make tools` installs it", tool)
	return ""
}

// Run runs a tool and returns what it printed on both streams; anything but exit status 0 fails the test.
func Run(t testing.TB, tool string, args ...string) string {
	t.Helper()
	out, err := TryRun(t, tool, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, out)
	}
	return out
}

// TryRun is Run for a tool that may refuse.
func TryRun(t testing.TB, tool string, args ...string) (string, error) {
	t.Helper()
	path := Need(t, tool)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLS_SKIP_CHECK=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// File writes b to a file of the test's own folder for a judge to read, and returns its path.
func File(t testing.TB, b blob.Blob) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "judged")
	if err := blob.WriteFile(context.Background(), path, b, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}
