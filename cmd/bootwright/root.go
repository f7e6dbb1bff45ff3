package main

import (
	"context"
	"io"

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
		Version: cli.Version().String(),
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("bootwright {{.Version}}\n")
	root.PersistentFlags().Var(cli.NewChoice(&a.progressMode, progress.Modes()...), "progress", "how to show progress")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "print errors and results only")
	root.AddGroup(
		&cobra.Group{ID: groupMake, Title: "Make:"},
		&cobra.Group{ID: groupLook, Title: "Look inside:"},
	)
	return cli.Parent(root,
		newBuildCommand(a),
		newPlanCommand(a),
		newBaseCommand(a),
		newExtensionCommand(a),
		newConfigCommand(a),
		newWriteCommand(a),
		newInspectCommand(a),
		newDiffCommand(a),
		newCatCommand(a),
		newBootCommand(a),
		newProfilesCommand(a),
		cli.VersionCommand("bootwright", a.stdout),
	)
}

// parseOnly marks a command whose examples need inputs too big for a test.
const parseOnly = cli.ParseOnly
