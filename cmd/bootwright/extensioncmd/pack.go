package extensioncmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
)

type packOptions struct {
	open   func() (*Session, error)
	dir    string
	arch   string
	output string
	json   bool
}

func newPackCommand(e Env) *cobra.Command {
	var opts packOptions
	cmd := &cobra.Command{
		Use:   "pack DIR -o oci:DIR[:TAG]|tar:FILE[:TAG]|HOST/REPO[:TAG]",
		Short: "make an image of an extension's folder",
		Long: `pack checks the extension in a folder and makes a container image of it, which prints its digest. The same folder gives the same
image: owners and times are left out, permissions stay as they are. In an OCI layout the images of other tags and architectures
stay. To a registry the image is pushed, and replaces what the tag named; docs/registries.md says with which credentials.`,
		Example: `  bootwright extension pack hello -o oci:images:hello
  bootwright extension pack hello -o tar:hello.tar --arch arm64`,
		Args: cli.Arguments(1, 1, "one DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.dir = strings.TrimPrefix(args[0], string(reference.Folder)+":")
			return runPack(cmd.Context(), e, opts)
		},
	}
	opts.open = e.Bind(cmd, false)
	cmd.Flags().Var(cli.NewChoice(&opts.arch, base.Arches()...), "arch", "architecture of its programs and modules")
	cmd.Flags().StringVarP(&opts.output, "output", "o", "", "where to put it: oci:DIR[:TAG], tar:FILE[:TAG] or HOST/REPO[:TAG] of a registry")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print the reference and the digest as JSON")
	return cmd
}

func runPack(ctx context.Context, e Env, opts packOptions) error {
	out, err := reference.Parse(opts.output)
	if err != nil || out.Scheme == reference.Folder || out.Digest != "" {
		return report.WithHint(report.Errorf(report.Invalid, "an extension cannot be written to %q", opts.output),
			"write -o oci:DIR[:TAG], -o tar:FILE[:TAG] or -o HOST/REPO[:TAG]")
	}
	t, err := tree.FromDir(opts.dir)
	if err != nil {
		return err
	}
	found := extensions.Validate(t, extensions.Facts{Arch: opts.arch}, extensions.Options{Name: opts.dir})
	faults := slices.DeleteFunc(found, func(f report.Finding) bool { return f.Severity == report.Warning })
	if err := faults.Err(); err != nil {
		return err
	}
	s, err := opts.open()
	if err != nil {
		return err
	}
	defer s.Close()
	step := s.Progress.Step("pack "+opts.dir, 0)
	im, err := extension.Pack(ctx, s.Builder.Store, t, opts.arch)
	if err == nil {
		out.Digest, err = extension.Write(ctx, s.Builder.Images, out, im)
	}
	step.Done(err)
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(e.Stdout, struct {
			Reference reference.Reference `json:"reference"`
			Digest    blob.Digest         `json:"digest"` // of the image manifest
		}{out, out.Digest})
	}
	_, err = fmt.Fprintln(e.Stdout, out)
	return err
}
