// Package cli is how bootwright's programs begin and end: running a command line, the table of exit codes, and how errors
// are told.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bootwright/bootwright/internal/report"
)

// Run runs one command line and returns its error for PrintError and ExitCode; nothing is printed but help. It adds the
// exit codes to the help. A command's RunE is where its work begins: an error before that is one of the command line.
func Run(ctx context.Context, root *cobra.Command, args []string) error {
	started := false
	trackStart(root, &started)
	completeChoices(root)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetHelpTemplate(root.HelpTemplate() + "\n{{if .HasParent}}" + exitCodeLine() + "{{else}}" + exitCodeTable() + "{{end}}\n")
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted(ctx)
	case !started:
		return usageError(cmd, err)
	}
	return err
}

// trackStart notes when a command begins its work.
func trackStart(cmd *cobra.Command, started *bool) {
	if inner := cmd.RunE; inner != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return inner(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		trackStart(child, started)
	}
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

// UnknownCommand says that cmd has no child called name, and which was probably meant.
func UnknownCommand(cmd *cobra.Command, name string) error {
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
