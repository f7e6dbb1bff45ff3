package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/machine/pki"
	"github.com/bootwright/bootwright/machine/secrets"
)

type genSecretsOptions struct {
	output         string
	serviceAccount string
	force          bool
}

func newGenSecretsCommand(a *app) *cobra.Command {
	var opts genSecretsOptions
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "make the secrets of a new cluster",
		Long: `secrets makes authorities, keys and tokens of a new cluster, from which gen config makes configurations. Who has them has the
cluster: keep the file where nobody else can read it.`,
		Example: "  wrightctl gen secrets\n  wrightctl gen secrets -o lab.yaml --service-account-key ecdsa",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGenSecrets(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVarP(&opts.output, "output-file", "o", "secrets.yaml", "`FILE` to write; - for standard output")
	bindServiceAccount(cmd, &opts.serviceAccount)
	bindForce(cmd, &opts.force)
	return cmd
}

func runGenSecrets(ctx context.Context, a *app, opts genSecretsOptions) error {
	b, err := secrets.New(a.now, secrets.Options{ServiceAccount: pki.Algorithm(opts.serviceAccount)})
	if err != nil {
		return err
	}
	text, err := b.Marshal()
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force, output{opts.output, text, secret})
}

// readSecrets is the bundle in a file.
func (a *app) readSecrets(ctx context.Context, path string) (*secrets.Bundle, error) {
	text, err := a.read(ctx, path)
	if err != nil {
		return nil, err
	}
	return secrets.Load(path, text, a.now)
}
