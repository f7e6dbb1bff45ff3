package main

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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/bootwright/bootwright/internal/progress"
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

// exitCodeTable is for the help of bootwright itself, exitCodeLine for that of its commands.
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

func exitCode(err error) int {
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

// errInterrupted replaces whatever error an interrupt led to.
func errInterrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return report.Errorf(report.Canceled, "out of time")
	}
	return report.Errorf(report.Canceled, "interrupted")
}

// usageError says that the command line is wrong and where to read how it should be.
func usageError(cmd *cobra.Command, err error) error {
	if report.HintOf(err) != "" {
		return err
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	if missing, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if near := report.Nearest(missing.GetSpecifiedName(), flagNames(cmd)); near != "" {
			hint = fmt.Sprintf("did you mean --%s?", near)
		}
	}
	return report.WithHint(report.Errorf(report.Invalid, "%w", err), "%s", hint)
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

func unknownCommand(cmd *cobra.Command, name string) error {
	err := report.Errorf(report.Invalid, "unknown command %q for %q", name, cmd.CommandPath())
	var names []string
	for _, child := range cmd.Commands() {
		names = append(names, child.Name())
	}
	if near := report.Nearest(name, names); near != "" {
		return report.WithHint(err, "did you mean `%s %s`?", cmd.CommandPath(), near)
	}
	return err
}

// printError prints findings as they are and any other error as "error: ..." and "hint: ..." lines, or, with --progress
// json, either as one object; nothing for nil.
func (a *app) printError(err error) {
	if err == nil {
		return
	}
	hint := report.HintOf(err)
	if progress.Mode(a.progressMode) == progress.JSON {
		json.NewEncoder(a.stderr).Encode(struct { // text, and nobody is left to tell of an error
			Event   string `json:"event"`
			Kind    string `json:"kind"`
			Message string `json:"message"`
			Hint    string `json:"hint,omitempty"`
		}{"error", kindOf(err).String(), err.Error(), hint})
		return
	}
	if findings, ok := errors.AsType[report.Findings](err); ok {
		fmt.Fprintln(a.stderr, findings)
		return
	}
	bold, red, plain := "", "", ""
	if colored(a.stderr) {
		bold, red, plain = "\x1b[1m", "\x1b[1;31m", "\x1b[0m"
	}
	fmt.Fprintf(a.stderr, "%serror:%s %v\n", red, plain, err)
	if hint != "" {
		fmt.Fprintf(a.stderr, "%shint:%s %s\n", bold, plain, hint)
	}
}

// colored reports whether w is a terminal whose owner has not asked for no colors (no-color.org).
func colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
