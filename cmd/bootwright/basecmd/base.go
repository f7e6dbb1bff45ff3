// Package basecmd is `bootwright base`: the commands that make a base and show what is in one.
package basecmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Env is what the commands need of the program that they are part of.
type Env struct {
	Stdout   io.Writer
	Progress func() *progress.Progress

	// Bind gives a command the flags of the cache and of registries. What it returns opens the cache that they name; the caller closes
	// it by its Store.
	Bind func(cmd *cobra.Command) func() (*builder.Builder, error)

	Annotations func(needs string) map[string]string // of commands whose examples need what no test has
}

// New is the command with all its children.
func New(e Env) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "base",
		Short: "make a base from Debian packages, show what is in one",
	},
		newBuildCommand(e),
		newInspectCommand(e),
	)
}

type buildOptions struct {
	base.BuildOptions
	output string
}

func newBuildCommand(e Env) *cobra.Command {
	var opts buildOptions
	cmd := &cobra.Command{
		Use:   "build -o oci:DIR[:TAG]",
		Short: "make a base: kernel, root image and boot loaders, from Debian packages",
		Long: `build makes a base from the packages that this machine's Debian sources offer, as an ordinary user, for this architecture or another.
It downloads them into the cache, takes the files that docs/base.md lists, and leaves an OCI image. The same packages give the
same digest. Making a base takes a minute or two and some 700 MB of temporary space; building assets from it takes neither.`,
		Example: `  bootwright base build -o oci:_out/base
  bootwright base build --arch arm64 --flavour cloud -o oci:_out/base:cloud`,
		Annotations: e.Annotations("downloads packages"),
		Args:        cli.Arguments(0, 0, ""),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runBuild(cmd.Context(), e, opts) },
	}
	f := cmd.Flags()
	f.Var(cli.NewChoice(&opts.Arch, base.Arches()...), "arch", "architecture of the machines")
	f.Var(cli.NewChoice(&opts.Flavour, base.Flavours()...), "flavour", "kernel: generic for any machine, cloud for virtual ones")
	f.StringVarP(&opts.output, "output", "o", "", "where to put it: oci:DIR[:TAG]")
	f.StringArrayVar(&opts.FirmwarePackages, "firmware-package", nil, "`PACKAGE` with firmware that modules name (repeatable)")
	f.StringVar(&opts.Sources, "sources", "", "sources.list(5) `FILE` to use instead of this machine's")
	f.StringVar(&opts.Cache, "package-cache", "", "`FOLDER` that keeps packages (default bootwright/apt in the user's cache folder)")
	f.BoolVar(&opts.Offline, "offline", false, "use the packages of an earlier build and ask no mirror")
	return cmd
}

func runBuild(ctx context.Context, e Env, opts buildOptions) error {
	ref, err := reference.Parse(opts.output)
	if err != nil || ref.Scheme != reference.Layout || ref.Digest != "" {
		return report.WithHint(report.Errorf(report.Invalid, "a base is written to an OCI image layout, not to %q", opts.output), "write -o oci:DIR or -o oci:DIR:TAG")
	}
	if err := oci.Check(ref.Name, ref.Tag); err != nil {
		return err
	}
	opts.Progress = e.Progress()
	b, err := base.Build(ctx, opts.BuildOptions)
	if err != nil {
		return err
	}
	defer b.Close()
	digest, err := b.Write(ctx, ref.Name, ref.Tag, opts.Progress)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "oci:%s@%s\n", ref.Name, digest)
	return err
}

type inspectOptions struct {
	open func() (*builder.Builder, error)
	ref  string
	arch string
	json bool
}

func newInspectCommand(e Env) *cobra.Command {
	var opts inspectOptions
	cmd := &cobra.Command{
		Use:         "inspect REF",
		Short:       "show what is in a base: parts, packages, licences, modules left out",
		Example:     "  bootwright base inspect oci:_out/base\n  bootwright base inspect oci:_out/base --json | jq -r .packages[].name",
		Annotations: e.Annotations("needs a base"),
		Args:        cli.Arguments(1, 1, "one REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref = args[0]
			return runInspect(cmd.Context(), e, opts)
		},
	}
	opts.open = e.Bind(cmd)
	cmd.Flags().StringVar(&opts.arch, "arch", "", "architecture, where the base has several: "+strings.Join(base.Arches(), " or "))
	cli.CompleteWords(cmd, "arch", base.Arches())
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runInspect(ctx context.Context, e Env, opts inspectOptions) error {
	b, err := opts.open()
	if err != nil {
		return err
	}
	defer b.Store.Close()
	_, m, err := b.Base(ctx, opts.ref, opts.arch)
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(e.Stdout, m)
	}
	return m.WriteText(e.Stdout)
}
