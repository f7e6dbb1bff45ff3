package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/report"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{0: true}
	for _, e := range exits() {
		if seen[e.code] {
			t.Errorf("exit code %d twice", e.code)
		}
		seen[e.code] = true
	}
	_, notThere := os.Open("no such file")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{report.Errorf(report.Invalid, "x"), 2},
		{fmt.Errorf("y: %w", report.Errorf(report.Unsupported, "x")), 4},
		{report.Errorf(report.Negative, "x"), 6},
		{context.Canceled, 130},
		{fmt.Errorf("write: %w", context.DeadlineExceeded), 130},
		{fmt.Errorf("read: %w", notThere), 3},
		{&os.PathError{Op: "read", Path: "x", Err: syscall.EISDIR}, 2},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, 5},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	work := errors.New("work failed")
	newRoot := func() *cobra.Command {
		root := &cobra.Command{Use: "tool"}
		cmd := &cobra.Command{Use: "work", RunE: func(*cobra.Command, []string) error { return work }}
		cmd.Flags().Bool("fast", false, "")
		cmd.Flags().String("must", "", "")
		cmd.MarkFlagRequired("must")
		root.AddCommand(cmd)
		root.SetOut(io.Discard)
		return root
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, c := range []struct {
		ctx  context.Context
		args string
		want string
	}{
		{t.Context(), "work --must x", "error: work failed\n"},
		{t.Context(), "work --fats", "error: unknown flag: --fats\nhint: did you mean --fast?\n"},
		{t.Context(), "work", "error: required flag(s) \"must\" not set\nhint: see `tool work --help`\n"},
		{t.Context(), "help", ""},
		{over, "work --must x", "error: interrupted\n"},
		{late, "work --must x", "error: out of time\n"},
	} {
		var out strings.Builder
		PrintError(&out, Run(c.ctx, newRoot(), strings.Fields(c.args)))
		if out.String() != c.want {
			t.Errorf("%s: %s, want %s", c.args, out.String(), c.want)
		}
	}
}

func TestPrintError(t *testing.T) {
	t.Parallel()
	findings := report.Findings{{Severity: report.Fault, File: "f", Line: 1, Column: 2, Message: "bad"}}.Err()
	hinted := report.WithHint(report.Errorf(report.NotFound, "no <x>"), "try y")
	for _, c := range []struct {
		err               error
		forPeople, asJSON string
	}{
		{nil, "", ""},
		{hinted, "error: no <x>\nhint: try y\n", `{"event":"error","kind":"not-found","message":"no \u003cx\u003e","hint":"try y"}` + "\n"},
		{findings, "f:1:2: bad\n", `{"event":"error","kind":"invalid","message":"f:1:2: bad"}` + "\n"},
	} {
		var people, object strings.Builder
		PrintError(&people, c.err)
		PrintErrorJSON(&object, c.err)
		if people.String() != c.forPeople || object.String() != c.asJSON {
			t.Errorf("%v: printed\n%s%s", c.err, people.String(), object.String())
		}
	}
}
