package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
)

type catOptions struct{ image, path string }

func newCatCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "cat IMAGE:PATH",
		GroupID: groupLook,
		Short:   "print one file, partition or section from inside an asset",
		Long: `cat prints what inspect lists at PATH, byte for byte. A path goes through everything that holds something else: an ISO, the
file system in it, the UKI in that, and its initramfs.`,
		Example: `  bootwright cat metal-amd64.iso:/boot/grub/grub.cfg
  bootwright cat metal-amd64.iso:/boot/efi.img/EFI/Linux/bootwright.efi/.cmdline`,
		Annotations: map[string]string{parseOnly: "needs an ISO"},
		Args:        cli.Arguments(1, 1, "one IMAGE:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := splitImagePath(args[0])
			if err != nil {
				return err
			}
			return runCat(cmd.Context(), a, opts)
		},
	}
}

// splitImagePath cuts at the first colon behind the name of a file that exists, so that names may hold colons.
func splitImagePath(s string) (catOptions, error) {
	for i, r := range s {
		if r == ':' {
			if st, err := os.Stat(s[:i]); err == nil && !st.IsDir() {
				return catOptions{s[:i], s[i+1:]}, nil
			}
		}
	}
	image, _, found := strings.Cut(s, ":")
	if !found {
		return catOptions{}, report.WithHint(report.Errorf(report.Invalid, "%q names no path inside an image", s), "write IMAGE:PATH")
	}
	switch _, err := os.Stat(image); {
	case err == nil:
		return catOptions{}, report.Errorf(report.Invalid, "%s is a folder, not an image", image)
	case !errors.Is(err, fs.ErrNotExist):
		return catOptions{}, err
	}
	return catOptions{}, report.Errorf(report.NotFound, "no file %q", image)
}

func runCat(ctx context.Context, a *app, opts catOptions) error {
	root, err := openAsset(ctx, opts.image, inspect.Options{})
	if err != nil {
		return err
	}
	it, err := root.Find(opts.path)
	if err != nil {
		return err
	}
	if it.Type == "folder" {
		return report.Errorf(report.Invalid, "%s:%s is a folder", opts.image, opts.path)
	}
	return copyOut(ctx, a.stdout, it.Blob)
}
