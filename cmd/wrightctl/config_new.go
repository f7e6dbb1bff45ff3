package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/client"
	"github.com/bootwright/bootwright/machine/pki"
)

type configNewOptions struct {
	*clientOptions
	secrets          string
	roles            []string
	ttl              time.Duration
	endpoints, nodes []string
	path             string
	force            bool
}

func newConfigNewCommand(a *app, client *clientOptions) *cobra.Command {
	opts := configNewOptions{clientOptions: client}
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "make a client configuration with roles of its own",
		Long: `new makes a client configuration, in the file talosconfig unless another is named, with a certificate for the roles that are asked
for. The cluster's secrets sign it. Its one context is called like the current context of the client configuration that is
there and has the endpoints of that; else --context and --endpoints say.`,
		Example: `  wrightctl config new --roles=os:reader reader --with-secrets site7/secrets.yaml --context site7
  wrightctl config new backup --roles os:etcd:backup --crt-ttl 24h --with-secrets site7/secrets.yaml --talosconfig site7/talosconfig`,
		Args: cli.Arguments(0, 1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.path = talosconfig
			if len(args) > 0 {
				opts.path = args[0]
			}
			return runConfigNew(cmd.Context(), a, opts)
		},
	}
	cmd.Flags().StringVar(&opts.secrets, "with-secrets", "", "`FILE` of the cluster's secrets; - for standard input")
	bindRoles(cmd, &opts.roles)
	cmd.Flags().DurationVar(&opts.ttl, "crt-ttl", clientValidity, "how long the certificate is valid")
	cmd.Flags().StringSliceVarP(&opts.endpoints, "endpoints", "e", nil, "addresses that the client connects to")
	cmd.Flags().StringSliceVarP(&opts.nodes, "nodes", "n", nil, "addresses that requests are for")
	bindForce(cmd, &opts.force)
	must(cmd, "with-secrets")
	return cmd
}

func runConfigNew(ctx context.Context, a *app, opts configNewOptions) error {
	if opts.ttl <= 0 {
		return report.Errorf(report.Invalid, "--crt-ttl %s is not in the future", opts.ttl)
	}
	name, err := opts.inherit(ctx, a)
	if err != nil {
		return err
	}
	b, err := a.readSecrets(ctx, opts.secrets)
	if err != nil {
		return err
	}
	pair, err := b.Client(opts.roles, pki.Validity{From: a.now, For: opts.ttl})
	if err != nil {
		return err
	}
	text, err := client.New(name, client.Context{Endpoints: opts.endpoints, Nodes: opts.nodes, CA: b.Certs.OS.Crt, Crt: pair.Crt, Key: pair.Key}).Marshal()
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force, output{opts.path, text, secret})
}

// inherit takes the name of the context and, where none are given, its endpoints from the configuration that is there.
func (o *configNewOptions) inherit(ctx context.Context, a *app) (string, error) {
	c, _, err := o.load(ctx, a)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = &client.Config{}, nil
	}
	if err != nil {
		return "", err
	}
	name, from, err := c.Select(o.context)
	switch {
	case err == nil && len(o.endpoints) == 0:
		o.endpoints = from.Endpoints
	case err != nil && o.context != "":
		return o.context, nil
	case err != nil:
		return "", report.WithHint(report.Errorf(report.Invalid, "the context has no name"), "give --context")
	}
	return name, nil
}
