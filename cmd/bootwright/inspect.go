package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/inspect"
)

type inspectOptions struct {
	file    string
	digests bool
	json    bool
}

func newInspectCommand(a *app) *cobra.Command {
	opts := inspectOptions{digests: true}
	cmd := &cobra.Command{
		Use:     "inspect FILE",
		GroupID: groupLook,
		Short:   "show what is in an ISO, disk image, UKI, initramfs or kernel",
		Long: `inspect shows what a file is and what is in it, down to the command line of a UKI: partitions, boot entries, files,
sections, archives, versions and digests. It takes any file; what it does not know is "data".`,
		Example:     "  bootwright inspect metal-amd64.iso\n  bootwright inspect metal-amd64.iso --json | jq .facts",
		Annotations: map[string]string{parseOnly: "needs an ISO"},
		Args:        arguments(1, 1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			return runInspect(cmd.Context(), a, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.digests, "digests", true, "compute the digest of each file")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runInspect(ctx context.Context, a *app, opts inspectOptions) error {
	it, err := openAsset(ctx, opts.file, inspect.Options{Digests: opts.digests})
	if err != nil {
		return err
	}
	if opts.json {
		return printJSON(a.stdout, it)
	}
	return it.WriteText(a.stdout)
}

// openAsset looks into a file, which stays open until the process ends.
func openAsset(ctx context.Context, file string, opts inspect.Options) (*inspect.Item, error) {
	b, err := blob.OpenFile(file)
	if err != nil {
		return nil, err
	}
	return inspect.Open(ctx, file, b, opts)
}
