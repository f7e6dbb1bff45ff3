package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
)

type validateOptions struct {
	config string
	mode   string
	strict bool
}

func newValidateCommand(a *app) *cobra.Command {
	var opts validateOptions
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "say everything that is wrong with a machine configuration",
		Long: `validate reads a configuration and says all that is wrong or doubtful in it, each with its place and what to do. Lines that hold
secrets are not shown. It fails if anything is wrong, with --strict also if anything is doubtful.`,
		Example: "  wrightctl validate --config site7/worker.yaml --mode metal",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runValidate(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVarP(&opts.config, "config", "c", "", "`FILE` with the configuration; - for standard input")
	cmd.Flags().VarP(cli.NewChoice(&opts.mode, string(check.Metal), string(check.Cloud), string(check.Container)), "mode", "m", "kind of machine")
	cmd.Flags().BoolVar(&opts.strict, "strict", false, "take warnings for errors")
	must(cmd, "config")
	return cmd
}

func runValidate(ctx context.Context, a *app, opts validateOptions) error {
	text, err := a.read(ctx, opts.config)
	if err != nil {
		return err
	}
	_, findings := config.Check(opts.config, text, check.Options{Mode: check.Mode(opts.mode), Strict: opts.strict, Now: a.now})
	if err := findings.Err(); err != nil {
		return err
	}
	for _, f := range findings {
		fmt.Fprintln(a.stderr, f)
	}
	if !a.quiet {
		fmt.Fprintf(a.stdout, "%s is valid for %s mode\n", opts.config, opts.mode)
	}
	return nil
}
