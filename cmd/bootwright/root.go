package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
)

// app is what all commands share: where they read and print, and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	progressMode   string
	quiet          bool
}

// progress shows steps on standard error, as the global flags ask.
func (a *app) progress() *progress.Progress {
	if a.quiet {
		return nil
	}
	return progress.New(a.stderr, progress.Mode(a.progressMode))
}

// run runs one command line and returns the exit code. Whatever goes wrong is printed here and nowhere else.
func run(ctx context.Context, a *app, args []string) int {
	err := cli.Run(ctx, newRootCommand(a), args)
	if progress.Mode(a.progressMode) == progress.JSON {
		cli.PrintErrorJSON(a.stderr, err)
	} else {
		cli.PrintError(a.stderr, err)
	}
	return cli.ExitCode(err)
}

// The groups of commands in the help.
const (
	groupMake = "make"
	groupLook = "look"
)

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "bootwright",
		Short: "build boot assets: ISO images, UKIs, network boot sets",
		Long: `bootwright builds boot assets. A profile says what to make; a base holds the kernel, the root image and the boot
loaders; out come an ISO, a UKI, a network boot set or a part of one.`,
		Example: "  bootwright profiles list\n  bootwright profiles show iso",
		Version: version().String(),
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("bootwright {{.Version}}\n")
	root.PersistentFlags().Var(newChoice(&a.progressMode, progress.Modes()...), "progress", "how to show progress")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "print errors and results only")
	root.AddGroup(
		&cobra.Group{ID: groupMake, Title: "Make:"},
		&cobra.Group{ID: groupLook, Title: "Look inside:"},
	)
	parent(root,
		newBuildCommand(a),
		newPlanCommand(a),
		newBaseCommand(a),
		newExtensionCommand(a),
		newInspectCommand(a),
		newDiffCommand(a),
		newCatCommand(a),
		newBootCommand(a),
		newProfilesCommand(a),
		newVersionCommand(a),
	)
	completeChoices(root)
	return root
}

// parent makes cmd a command that does nothing but hold children.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.UnknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// arguments accepts min to max arguments; what names them in messages.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > most && most == 0:
			return fmt.Errorf("%s takes no arguments, not %q", cmd.CommandPath(), args)
		case len(args) > most:
			return fmt.Errorf("%s takes %s, not also %q", cmd.CommandPath(), what, args[most:])
		case len(args) < least:
			return fmt.Errorf("%s needs %s", cmd.CommandPath(), what)
		case slices.Contains(args, ""):
			return fmt.Errorf("%s takes %s, and %q is nothing", cmd.CommandPath(), what, "")
		}
		return nil
	}
}

// parseOnly marks a command whose examples need inputs too big for a test: they are parsed and not run.
const parseOnly = "examples-parse-only"
