package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/patch"
)

func newMachineConfigCommand(a *app) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:     "machineconfig",
		Aliases: []string{"mc"},
		Short:   "patch machine configurations, and make patches of their differences",
	},
		newPatchCommand(a),
		newDiffCommand(a),
	)
}

type patchOptions struct {
	file    string
	patches []string
	output  string
	force   bool
}

func newPatchCommand(a *app) *cobra.Command {
	var opts patchOptions
	cmd := &cobra.Command{
		Use:   "patch FILE",
		Short: "apply patches to a machine configuration",
		Long: `patch applies strategic merge patches and JSON patches (RFC 6902), in the order in which they are given, and prints the
configuration that comes of it. What no patch touches stays as it is, comments included. A FILE of - is standard input.`,
		Example: `  wrightctl machineconfig patch site7/worker.yaml --patch @site7/patch.yaml -o worker-1.yaml
  wrightctl mc patch site7/worker.yaml --patch '[{"op": "add", "path": "/machine/network/hostname", "value": "worker-1"}]'`,
		Args: cli.Arguments(1, 1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			return runPatch(cmd.Context(), a, opts)
		},
	}
	cmd.Flags().StringArrayVarP(&opts.patches, "patch", "p", nil, "`PATCH` to apply, or @FILE (repeatable)")
	cmd.Flags().StringVarP(&opts.output, "output", "o", "-", "`FILE` to write; - for standard output")
	bindForce(cmd, &opts.force)
	must(cmd, "patch")
	return cmd
}

func runPatch(ctx context.Context, a *app, opts patchOptions) error {
	c, err := a.readConfig(ctx, opts.file)
	if err != nil {
		return err
	}
	text, err := applyPatches(c, opts.patches)
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force, output{opts.output, text, secret})
}

func newDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "print the patch that makes machine configuration A into B",
		Long: `diff prints a patch: machineconfig patch A with it gives a configuration of the same content as B. It prints nothing where there
is no difference. Secrets that differ are in the patch.`,
		Example: "  wrightctl machineconfig diff site7/worker.yaml site7/worker-1.yaml",
		Args:    cli.Arguments(2, 2, "two files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDiff(cmd.Context(), a, args[0], args[1])
		},
	}
}

func runDiff(ctx context.Context, a *app, from, to string) error {
	before, err := a.readConfig(ctx, from)
	if err != nil {
		return err
	}
	after, err := a.readConfig(ctx, to)
	if err != nil {
		return err
	}
	text, err := patch.Diff(before, after)
	if err != nil {
		return err
	}
	return a.write(ctx, false, output{"-", text, public})
}

// readConfig is the machine configuration in a file.
func (a *app) readConfig(ctx context.Context, path string) (*config.Config, error) {
	text, err := a.read(ctx, path)
	if err != nil {
		return nil, err
	}
	return config.Load(path, text)
}

// applyPatches is the text of a configuration as patches, in the words of the command line, change it.
func applyPatches(c *config.Config, args []string) ([]byte, error) {
	var patches []*patch.Patch
	for _, arg := range args {
		p, err := patch.Read(arg)
		if err != nil {
			return nil, err
		}
		patches = append(patches, p)
	}
	c, err := patch.Apply(c, patches...)
	if err != nil {
		return nil, err
	}
	return c.Bytes(), nil
}
