package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/inherit"
	"github.com/bootwright/bootwright/cmd/bootwright/profilescmd"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

func newProfilesCommand(a *app) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:     "profiles",
		GroupID: groupMake,
		Short:   "list, show and push profiles, print their schema",
	},
		profilescmd.NewList(a.stdout),
		newProfilesShowCommand(a),
		profilescmd.NewPush(a.stdout, readFile, func(cmd *cobra.Command) func() (*fetch.Client, func(), error) {
			var opts requestOptions
			opts.bindCache(cmd)
			return func() (*fetch.Client, func(), error) {
				s, err := openSession(a, opts)
				if err != nil {
					return nil, nil, err
				}
				return s.builder.Images, s.close, nil
			}
		}, map[string]string{parseOnly: "needs a registry"}),
		profilescmd.NewSchema(a.stdout),
	)
}

type profilesShowOptions struct {
	requestOptions
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
	opts.profileOptions.bind(cmd)
	opts.bindCache(cmd)
	opts.bindKeys(cmd)
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
	var s *session // only for a profile in an image
	p, err := opts.resolve(name, data, inherit.Finder(ctx, func() (client *fetch.Client, err error) {
		if s == nil {
			if s, err = openSession(a, opts.requestOptions); err != nil {
				return nil, err
			}
		}
		return s.builder.Images, nil
	}))
	if s != nil {
		s.close()
	}
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
