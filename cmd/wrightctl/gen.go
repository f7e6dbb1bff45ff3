package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/pki"
)

func newGenCommand(a *app) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "gen",
		Short: "make configurations, secrets, keys and certificates",
		Long: `gen makes what a cluster begins with. Files that hold secrets can be read by their owner only. A file that is there already
stays as it is unless --force is given.`,
	},
		newGenConfigCommand(a),
		newGenSecretsCommand(a),
		newGenCACommand(a),
		newGenKeyCommand(a),
		newGenCSRCommand(a),
		newGenCrtCommand(a),
	)
}

// bindForce is the flag that all commands share that write files.
func bindForce(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVarP(force, "force", "f", false, "replace files that are there already")
}

// bindServiceAccount lets the kind of a new service account key be chosen.
func bindServiceAccount(cmd *cobra.Command, value *string) {
	cmd.Flags().Var(cli.NewChoice(value, string(pki.RSA2048), string(pki.RSA4096), string(pki.ECDSA)), "service-account-key", "kind of the key that signs service account tokens")
}

// validity is hours from now on.
func (a *app) validity(hours int) (pki.Validity, error) {
	const most = 100 * 365 * 24
	if hours < 1 || hours > most {
		return pki.Validity{}, report.Errorf(report.Invalid, "--hours %d is not between 1 and %d", hours, most)
	}
	return pki.Validity{From: a.now, For: time.Duration(hours) * time.Hour}, nil
}
