package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
)

type diffOptions struct {
	a, b string
	json bool
}

func newDiffCommand(a *app) *cobra.Command {
	var opts diffOptions
	cmd := &cobra.Command{
		Use:     "diff A B",
		GroupID: groupLook,
		Short:   "show what differs between two assets, down to the file or section",
		Long: `diff compares two assets by what they hold and prints each difference where it is: a changed kernel argument is a changed
line of the UKI and of GRUB's menu, not a changed ISO. Without a difference the two files are equal byte for byte.`,
		Example:     "  bootwright diff old.iso new.iso\n  bootwright diff old.iso new.iso --json",
		Annotations: map[string]string{parseOnly: "needs two ISOs"},
		Args:        cli.Arguments(2, 2, "two files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.a, opts.b = args[0], args[1]
			return runDiff(cmd.Context(), a, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runDiff(ctx context.Context, a *app, opts diffOptions) error {
	before, err := openAsset(ctx, opts.a, inspect.Options{Digests: true})
	if err != nil {
		return err
	}
	after, err := openAsset(ctx, opts.b, inspect.Options{Digests: true})
	if err != nil {
		return err
	}
	changes, err := inspect.Diff(ctx, before, after)
	if err != nil {
		return err
	}
	if opts.json {
		err = cli.PrintJSON(a.stdout, append([]inspect.Change{}, changes...))
	} else {
		err = inspect.WriteChanges(a.stdout, changes)
	}
	if err == nil && len(changes) > 0 {
		return report.Errorf(report.Negative, "%s and %s differ", opts.a, opts.b)
	}
	return err
}
