package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
)

type validateOptions struct {
	config string
	mode   string
	strict bool
	json   bool
}

func newValidateCommand(a *app) *cobra.Command {
	var opts validateOptions
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "say everything that is wrong with a machine configuration",
		Long: `validate reads a configuration and says all that is wrong or doubtful in it, each with its place and what to do. Lines that hold
secrets are not shown. It fails if anything is wrong, with --strict also if anything is doubtful.`,
		Example: `  wrightctl validate --config site7/worker.yaml --mode metal
  wrightctl validate --config site7/worker.yaml --json`,
		Args: cli.Arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return runValidate(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVarP(&opts.config, "config", "c", "", "`FILE` with the configuration; - for standard input")
	cmd.Flags().VarP(cli.NewChoice(&opts.mode, string(check.Metal), string(check.Cloud), string(check.Container)), "mode", "m", "kind of machine")
	cmd.Flags().BoolVar(&opts.strict, "strict", false, "take warnings for errors")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	must(cmd, "config")
	return cmd
}

// verdict is what --json prints.
type verdict struct {
	File     string    `json:"file"`
	Mode     string    `json:"mode"`
	Valid    bool      `json:"valid"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Severity string `json:"severity"` // error or warning
	Line     int    `json:"line"`     // from 1; 0 where there is no place
	Column   int    `json:"column"`
	Path     string `json:"path"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func newVerdict(opts validateOptions, findings report.Findings) verdict {
	v := verdict{opts.config, opts.mode, findings.Err() == nil, []finding{}}
	for _, f := range findings {
		severity := "error"
		if f.Severity == report.Warning {
			severity = "warning"
		}
		v.Findings = append(v.Findings, finding{severity, f.Line, f.Column, f.Path, f.Message, f.Hint})
	}
	return v
}

func runValidate(ctx context.Context, a *app, opts validateOptions) error {
	text, err := a.read(ctx, opts.config)
	if err != nil {
		return err
	}
	_, findings := config.Check(opts.config, text, check.Options{Mode: check.Mode(opts.mode), Strict: opts.strict, Now: a.now})
	if opts.json {
		if err := cli.PrintJSON(a.stdout, newVerdict(opts, findings)); err != nil || findings.Err() == nil {
			return err
		}
		return report.Errorf(report.Invalid, "%s is not valid", opts.config)
	}
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
