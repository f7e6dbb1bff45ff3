package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/cmd/bootwright/profilescmd"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

func newProfilesCommand(a *app) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:     "profiles",
		GroupID: groupMake,
		Short:   "list and show profiles, print their schema",
	},
		profilescmd.NewList(a.stdout),
		newProfilesShowCommand(a),
		profilescmd.NewSchema(a.stdout),
	)
}

type profilesShowOptions struct {
	profileOptions
	json    bool
	source  bool
	cmdline bool
}

func newProfilesShowCommand(a *app) *cobra.Command {
	var opts profilesShowOptions
	cmd := &cobra.Command{
		Use:   "show [PROFILE | -]",
		Short: "print a profile as it is built: complete, with everything inherited",
		Long: `show prints a built-in profile, a file (-f) or standard input (-) as build sees it: with what it inherits, with defaults,
and with the flags laid over it. The output is a profile again.`,
		Example: `  bootwright profiles show iso
  bootwright profiles show iso --arch arm64 --cmdline
  bootwright profiles show -f my.yaml --set version=v1.2.3
  bootwright profiles show metal-uki --extra-kernel-arg -pti --extra-kernel-arg quiet --json
  bootwright profiles show pxe --source > pxe.yaml`,
		Args: cli.Arguments(0, 1, "one PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.setName(args)
			return runProfilesShow(cmd.Context(), a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&opts.source, "source", false, "print the built-in profile as it is written, with its comments")
	cmd.Flags().BoolVar(&opts.cmdline, "cmdline", false, "print the kernel command line that follows")
	cmd.MarkFlagsMutuallyExclusive("json", "source", "cmdline")
	return cmd
}

func runProfilesShow(ctx context.Context, a *app, opts profilesShowOptions) error {
	if opts.source {
		return printSource(a, opts.profileOptions)
	}
	name, data, err := opts.read(ctx, a)
	if err != nil {
		return err
	}
	p, err := opts.resolve(name, data)
	switch {
	case err != nil:
		return err
	case opts.cmdline:
		line, err := p.Cmdline()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.stdout, line)
		return err
	case opts.json:
		return cli.PrintJSON(a.stdout, p)
	}
	text, err := yaml.Dump(p)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

func printSource(a *app, opts profileOptions) error {
	if opts.changed() || opts.file != "" || opts.name == "" {
		return report.Errorf(report.Invalid, "--source wants the name of a built-in profile and no other flag")
	}
	text, err := profiles.Source(opts.name)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}
