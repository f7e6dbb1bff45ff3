// Package vmtest boots machines in tests. Booting takes seconds, so these tests run only with BOOTWRIGHT_VM=1, which
// `make test` and `make test-vm` set; otherwise each says loudly that it was skipped. With it set, nothing is skipped:
// a missing QEMU or firmware fails the test.
package vmtest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Need skips the test where machines are not booted.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("BOOTWRIGHT_VM") != "1" {
		t.Skip("SKIPPED, NOT PASSED: this test boots a machine; `make test-vm` runs it")
	}
}

// starved is what a kernel says before anything of ours runs, when an interpreted machine got so little of a busy processor
// that the kernel, which counts on its own speed, saw no timer interrupt in time. It says nothing about what was built.
const starved = "IO-APIC + timer doesn't work"

// Boot boots a machine and returns its console. The test fails, with the end of the console, unless the machine says
// o.Until, which is bootreport.Ready when nil, within o.Timeout, which is four minutes when zero: boots take seconds, but
// tests run on busy computers too.
func Boot(t testing.TB, o vm.Options) string {
	t.Helper()
	Need(t)
	console, err := Try(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return console
}

// Try is Boot for goroutines of a test: it returns the error with which Boot fails.
func Try(t testing.TB, o vm.Options) (string, error) {
	t.Helper()
	if o.Until == nil {
		o.Until = regexp.MustCompile(regexp.QuoteMeta(bootreport.Ready))
	}
	if o.Timeout == 0 {
		o.Timeout = 4 * time.Minute
	}
	var console bytes.Buffer
	if o.Serial == nil {
		o.Serial = io.Discard
	}
	o.Serial = io.MultiWriter(&console, o.Serial)
	o.Until = regexp.MustCompile("(?:" + o.Until.String() + ")|" + regexp.QuoteMeta(starved)) // after which it does nothing more
	res, err := vm.Run(t.Context(), o)
	for range 2 {
		if res.Match != starved {
			break
		}
		t.Logf("the kernel gave up: %q; once more", starved)
		console.Reset()
		res, err = vm.Run(t.Context(), o)
	}
	if res.Match == starved {
		err = report.Errorf(report.Unavailable, "the kernel gave up three times: %s", starved)
	}
	if err != nil {
		end := console.Bytes()[max(0, console.Len()-16<<10):]
		return "", fmt.Errorf("%w\n%s\n--- the end of its console:\n%s", err, strings.Join(res.Command, " "), end)
	}
	t.Logf("%.80q after %.1f s, of which the machine took %.1f s of a processor (%s)", res.Match, res.Elapsed.Seconds(), res.CPU.Seconds(), res.Accel)
	return console.String(), nil
}

// Report is the boot report in a console. The test fails unless there is exactly one, on a line that did not break.
func Report(t testing.TB, console string) *bootreport.Report {
	t.Helper()
	if n := strings.Count(console, bootreport.Prefix); n != 1 {
		t.Fatalf("%d boot reports on the console, want 1:\n%s", n, console)
	}
	r, err := bootreport.Find([]byte(console))
	if err != nil {
		t.Fatalf("%v:\n%s", err, console)
	}
	return r
}

// Base is the reference of the base for tests, which BOOTWRIGHT_TEST_BASE names: an OCI layout with a cloud kernel for
// each architecture.
func Base(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("BOOTWRIGHT_TEST_BASE")
	if dir == "" {
		t.Fatal("BOOTWRIGHT_TEST_BASE must name the OCI layout of a base; `make test-vm` sets it")
	}
	return "oci:" + dir
}
