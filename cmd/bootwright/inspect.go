package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/cli"
)

type inspectOptions struct {
	requestOptions
	what    string
	digests bool
	json    bool
}

func newInspectCommand(a *app) *cobra.Command {
	opts := inspectOptions{digests: true}
	cmd := &cobra.Command{
		Use:     "inspect FILE | REF",
		GroupID: groupLook,
		Short:   "show what is in an ISO, disk image, UKI, initramfs, kernel or container image",
		Long: `inspect shows what a file is and what is in it, down to the command line of a UKI: partitions, boot entries, files,
sections, archives, versions and digests. It takes any file; what it does not know is "data".

It shows the parts of a container image, such as a base, too: oci:DIR[:TAG], tar:FILE, dir:DIR, docker://HOST/REPO or
http://HOST/REPO.`,
		Example: "  bootwright inspect metal-amd64.iso\n  bootwright inspect metal-amd64.iso --json | jq .facts\n" +
			"  bootwright inspect oci:_out/base",
		Annotations: map[string]string{parseOnly: "needs an ISO"},
		Args:        cli.Arguments(1, 1, "one FILE or REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.what = args[0]
			return runInspect(cmd.Context(), a, opts)
		},
	}
	opts.bindCache(cmd)
	cmd.Flags().StringVar(&opts.arch, "arch", "", "architecture, where a REF has several: "+strings.Join(base.Arches(), " or "))
	cli.CompleteWords(cmd, "arch", base.Arches())
	cmd.Flags().BoolVar(&opts.digests, "digests", true, "compute the digest of each file")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runInspect(ctx context.Context, a *app, opts inspectOptions) error {
	it, done, err := opts.open(ctx, a)
	if err != nil {
		return err
	}
	defer done()
	if opts.json {
		return cli.PrintJSON(a.stdout, it)
	}
	return it.WriteText(a.stdout)
}

// open looks into the file or the image that was named; done is for when it is no longer read.
func (o *inspectOptions) open(ctx context.Context, a *app) (it *inspect.Item, done func(), err error) {
	look := inspect.Options{Digests: o.digests}
	if !isReference(o.what) {
		it, err = openAsset(ctx, o.what, look)
		return it, func() {}, err
	}
	s, err := openSession(a, o.requestOptions)
	if err != nil {
		return nil, nil, err
	}
	if it, err = openImage(ctx, s, o.what, o.arch, look); err != nil {
		s.close()
		return nil, nil, err
	}
	return it, s.close, nil
}

// isReference reports whether s says that it is the name of an image; other names are those of files.
func isReference(s string) bool {
	for _, scheme := range []string{"oci:", "tar:", "dir:", "docker://", "http://"} {
		if strings.HasPrefix(s, scheme) {
			return true
		}
	}
	return false
}

// openImage looks into the config and the layers of an image, which belong to the session.
func openImage(ctx context.Context, s *session, name, arch string, opts inspect.Options) (*inspect.Item, error) {
	ref, err := reference.Parse(name)
	if err != nil {
		return nil, err
	}
	images := s.builder.Images
	locked, err := images.Resolve(ctx, ref, arch)
	if err != nil {
		return nil, err
	}
	image, err := images.Open(ctx, locked)
	if err != nil {
		return nil, err
	}
	parts := []inspect.Part{{Name: "config", Blob: image.Config.Blob}}
	for i, l := range image.Layers {
		parts = append(parts, inspect.Part{Name: cmp.Or(l.Title, fmt.Sprintf("layer%d", i+1)), Blob: l.Blob})
	}
	return inspect.OpenImage(ctx, name, locked.Digest, parts, opts)
}

// openAsset looks into a file, which stays open until the process ends.
func openAsset(ctx context.Context, file string, opts inspect.Options) (*inspect.Item, error) {
	b, err := blob.OpenFile(file)
	if err != nil {
		return nil, err
	}
	return inspect.Open(ctx, file, b, opts)
}
