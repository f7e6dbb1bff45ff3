package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/bootwright/bootwright/internal/report"
)

// exits is the table of exit codes: part of the interface, so a code never changes its meaning.
func exits() []exit {
	return []exit{
		{1, report.Internal, "a defect of bootwright, or an error of no other kind"},
		{2, report.Invalid, "the input is wrong: command line, profile, image, ..."},
		{3, report.NotFound, "something named does not exist"},
		{4, report.Unsupported, "well formed, but not something bootwright does"},
		{5, report.Unavailable, "a disk, registry or program did not do its part"},
		{6, report.Negative, "the answer is no: assets differ, a text was not seen"},
		{130, report.Canceled, "interrupted, or out of time"},
	}
}

type exit struct {
	code    int
	kind    report.Kind
	meaning string
}

// exitCodeTable is for the help of a program, exitCodeLine for that of its commands.
func exitCodeTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n  0    done\n")
	for _, e := range exits() {
		fmt.Fprintf(&b, "  %-3d  %s\n", e.code, e.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func exitCodeLine() string {
	var b strings.Builder
	b.WriteString("Exit codes: 0 done")
	for _, e := range exits() {
		fmt.Fprintf(&b, ", %d %s", e.code, e.kind)
	}
	return b.String()
}

// ExitCode is the exit code that err stands for.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	kind := kindOf(err)
	for _, e := range exits() {
		if e.kind == kind {
			return e.code
		}
	}
	return 1
}

// kindOf is the kind that err carries, or that follows from what the operating system said.
func kindOf(err error) report.Kind {
	if kind := report.KindOf(err); kind != report.Internal {
		return kind
	}
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return report.Canceled
	case errors.Is(err, fs.ErrNotExist):
		return report.NotFound
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return report.Invalid
	case errors.As(err, &path), errors.As(err, &link), errors.As(err, &call):
		return report.Unavailable
	}
	return report.Internal
}

// PrintError prints findings as they are and any other error as "error: ..." and "hint: ..." lines; nothing for nil.
func PrintError(w io.Writer, err error) {
	if err == nil {
		return
	}
	if findings, ok := errors.AsType[report.Findings](err); ok {
		fmt.Fprintln(w, findings)
		return
	}
	bold, red, plain := "", "", ""
	if colored(w) {
		bold, red, plain = "\x1b[1m", "\x1b[1;31m", "\x1b[0m"
	}
	fmt.Fprintf(w, "%serror:%s %v\n", red, plain, err)
	if hint := report.HintOf(err); hint != "" {
		fmt.Fprintf(w, "%shint:%s %s\n", bold, plain, hint)
	}
}

// PrintErrorJSON prints err as one object on a line, an event among those of internal/progress; nothing for nil.
func PrintErrorJSON(w io.Writer, err error) {
	if err == nil {
		return
	}
	json.NewEncoder(w).Encode(struct { // text, and nobody is left to tell of an error
		Event   string `json:"event"`
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}{"error", kindOf(err).String(), err.Error(), report.HintOf(err)})
}

// colored reports whether w is a terminal whose owner has not asked for no colors (no-color.org).
func colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
