package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/cmd/wrightctl/kmscmd"
	"github.com/bootwright/bootwright/cmd/wrightctl/reportcmd"
	"github.com/bootwright/bootwright/cmd/wrightctl/volumescmd"
	"github.com/bootwright/bootwright/internal/cli"
)

// app is what all commands share: where they read and print, when they run, and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            time.Time // from which certificates are valid
	quiet          bool
}

// run runs one command line and returns the exit code. Whatever goes wrong is printed here and nowhere else.
func run(ctx context.Context, a *app, args []string) int {
	err := cli.Run(ctx, newRootCommand(a), args)
	cli.PrintError(a.stderr, err)
	return cli.ExitCode(err)
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "wrightctl",
		Short: "make and check the configuration of machines and their clients",
		Long: `wrightctl makes the secrets and the first configuration of a cluster's machines, configurations and certificates for those
who manage them, and checks configurations before they are burnt into an image.`,
		Example: "  wrightctl gen config site7 https://10.0.0.1:6443",
		Version: cli.Version().String(),
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("wrightctl {{.Version}}\n")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "print errors and results only")
	return cli.Parent(root,
		newGenCommand(a),
		newConfigCommand(a),
		newMachineConfigCommand(a),
		newValidateCommand(a),
		kmscmd.New(kmscmd.App{Stderr: a.stderr, Quiet: &a.quiet, Read: a.read, WriteSecret: func(ctx context.Context, force bool, path string, data []byte) error {
			return a.write(ctx, force, output{path, data, secret})
		}}),
		reportcmd.NewCommand(reportcmd.Env{Stdout: a.stdout, Read: a.read}),
		volumescmd.NewCommand(volumescmd.Env{Stdout: a.stdout, Read: a.read}),
		cli.VersionCommand("wrightctl", a.stdout),
	)
}
