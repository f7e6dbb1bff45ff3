package main

import (
	"context"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/cli"
)

type planOptions struct {
	requestOptions
	json bool
}

func newPlanCommand(a *app) *cobra.Command {
	var opts planOptions
	cmd := &cobra.Command{
		Use:     "plan [PROFILE | -]",
		GroupID: groupMake,
		Short:   "print what build would make: every input by digest, sizes and extent maps",
		Long: `plan prints the plan of a build: every input by digest, what of it was at hand, and of each output file the size and what
lies where in it, without writing the file. What it has to download or compress for that stays in the cache.

Saved, it builds the same bytes again with "bootwright build -f PLAN".`,
		Example: `  bootwright plan iso --base oci:_out/base > iso.plan
  bootwright plan iso --base oci:_out/base --json | jq .result.files[].size`,
		Annotations: map[string]string{parseOnly: "needs a base"},
		Args:        cli.Arguments(0, 1, "one PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.setName(args)
			return runPlan(cmd.Context(), a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runPlan(ctx context.Context, a *app, opts planOptions) error {
	s, err := openSession(a, opts.requestOptions)
	if err != nil {
		return err
	}
	defer s.close()
	plan, err := s.plan(ctx)
	if err != nil {
		return err
	}
	pieces, err := s.builder.Pieces(ctx, plan)
	if err != nil {
		return err
	}
	artifact, err := s.build(ctx, plan)
	if err != nil {
		return err
	}
	preview := artifact.Preview(pieces)
	if opts.json {
		return cli.PrintJSON(a.stdout, preview)
	}
	out, err := yaml.Dump(preview, yaml.WithLineWidth(-1)) // a command line is one line
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(out)
	return err
}
