package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/inherit"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/cmd/bootwright/profilescmd"
	"github.com/bootwright/bootwright/formats/blob"
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
		newProfilesPushCommand(a),
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

type profilesPushOptions struct {
	requestOptions
	json bool
}

func newProfilesPushCommand(a *app) *cobra.Command {
	var opts profilesPushOptions
	cmd := &cobra.Command{
		Use:         "push FILE REF",
		Short:       "put a profile into a registry, for others to be based on",
		Long:        `push checks a profile and puts it to HOST/REPO[:TAG] of a registry, or oci:DIR[:TAG], where baseProfileName finds it.`,
		Example:     "  bootwright profiles push site.yaml registry.example.com/profiles/site:v1",
		Annotations: map[string]string{parseOnly: "needs a registry"},
		Args:        cli.Arguments(2, 2, "a FILE and a REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			return runProfilesPush(cmd.Context(), a, opts, args[1])
		},
	}
	opts.bindCache(cmd)
	cmd.Flags().BoolVar(&opts.json, "json", false, "print what was pushed as JSON")
	return cmd
}

func runProfilesPush(ctx context.Context, a *app, opts profilesPushOptions, to string) error {
	ref, err := reference.Parse(to)
	if err != nil {
		return err
	}
	name, data, err := opts.read(ctx, a)
	if err != nil {
		return err
	}
	s, err := openSession(a, opts.requestOptions)
	if err != nil {
		return err
	}
	defer s.close()
	err = s.during("push "+to, func() (err error) {
		ref.Digest, err = inherit.Push(ctx, s.builder.Images, ref, name, data)
		return err
	})
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(a.stdout, struct {
			Reference reference.Reference `json:"reference"`
			Digest    blob.Digest         `json:"digest"`
		}{ref, ref.Digest})
	}
	_, err = fmt.Fprintln(a.stdout, ref)
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
