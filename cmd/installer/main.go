//go:build linux

// Command installer is the entry point of an installer image: it puts the system that the image brings onto a disk, or beside the one
// that is there. docs/install.md is its manual. It is one static file and runs no other program.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/machine/bootassets"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, &app{stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:]))
}

// app is what all commands share: where they print, and the global flags.
type app struct {
	stdout, stderr io.Writer
	progressMode   string
	assets         string // folder
	json           bool
}

func run(ctx context.Context, a *app, args []string) int {
	err := cli.Run(ctx, newRootCommand(a), args)
	if a.json {
		cli.PrintErrorJSON(a.stderr, err)
	} else {
		cli.PrintError(a.stderr, err)
	}
	return cli.ExitCode(err)
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "installer",
		Short: "install the system that this image brings, or upgrade to it",
		Long: `installer puts the system that its image brings onto a disk (install), or beside the one that a disk has (upgrade). Either can lose power
at any moment: what boots then is the old system or the new one, or the disk is as good as empty.`,
		Version: cli.Version().String(),
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("installer {{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&a.assets, "assets", "/"+bootassets.Folder+"/"+runtime.GOARCH, "`FOLDER` of what is installed")
	f.BoolVar(&a.json, "json", false, "print results and errors as JSON")
	f.Var(cli.NewChoice(&a.progressMode, progress.Modes()...), "progress", "how to show progress")
	return cli.Parent(root, newInstallCommand(a), newPlanCommand(a), newUpgradeCommand(a), cli.VersionCommand("installer", a.stdout))
}

// open opens what is installed and reads it all, so that an image that arrived damaged changes nothing.
func (a *app) open(ctx context.Context, p *progress.Progress) (*bootassets.Assets, error) {
	assets, err := bootassets.Open(a.assets)
	if err != nil {
		return nil, err
	}
	step := p.Step("verify the boot assets", 0)
	err = assets.Verify(ctx)
	step.Done(err)
	if err != nil {
		assets.Close()
		return nil, err
	}
	return assets, nil
}

func (a *app) progress() *progress.Progress {
	return progress.New(a.stderr, progress.Mode(a.progressMode))
}
