package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

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
		newProfilesListCommand(a),
		newProfilesShowCommand(a),
		newProfilesSchemaCommand(a),
	)
}

type profilesListOptions struct {
	json bool
}

func newProfilesListCommand(a *app) *cobra.Command {
	var opts profilesListOptions
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "list the built-in profiles",
		Example: "  bootwright profiles list\n  bootwright profiles list --json",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(*cobra.Command, []string) error { return runProfilesList(a, opts) },
	}
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

// profileSummary is one line of the list.
type profileSummary struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Description string `json:"description"`
}

func runProfilesList(a *app, opts profilesListOptions) error {
	var list []profileSummary
	for _, name := range profiles.Names() {
		source, err := profiles.Source(name)
		if err != nil {
			return err
		}
		p, err := profiles.Builtin(name)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(source), "\n")
		list = append(list, profileSummary{name, p.Output.Kind, strings.TrimPrefix(first, "# ")})
	}
	if opts.json {
		return cli.PrintJSON(a.stdout, list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tMAKES")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Kind, s.Description)
	}
	return w.Flush()
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

func newProfilesSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "print the JSON Schema of profiles, for editors",
		Example: "  bootwright profiles schema > profile.schema.json",
		Args:    cli.Arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(profiles.Schema())
			return err
		},
	}
}
