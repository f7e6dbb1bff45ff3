package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/generate"
	"github.com/bootwright/bootwright/machine/pki"
	"github.com/bootwright/bootwright/machine/secrets"
)

// talosconfig is the output that is for clients.
const talosconfig = "talosconfig"

// clientValidity is how long a client's certificate is valid where nobody says otherwise.
const clientValidity = 365 * 24 * time.Hour

func outputTypes() []string {
	return []string{string(generate.ControlPlane), string(generate.Worker), talosconfig}
}

type genConfigOptions struct {
	generate.Options
	mirrors        []string
	withSecrets    string
	serviceAccount string
	types          []string
	output         string
	patches        []string
	patchesOf      map[generate.Type]*[]string
	force          bool
}

func newGenConfigCommand(a *app) *cobra.Command {
	opts := genConfigOptions{patchesOf: map[generate.Type]*[]string{generate.ControlPlane: {}, generate.Worker: {}}}
	cmd := &cobra.Command{
		Use:   "config NAME ENDPOINT",
		Short: "make the configurations of a cluster's machines and of a client",
		Long: `config makes controlplane.yaml, worker.yaml and talosconfig for the cluster NAME, whose Kubernetes API is at ENDPOINT: the URL of
a balancer, or of a machine of the control plane with port 6443. Without --with-secrets it makes new secrets, which are then
in these files only. Patches are applied in order, those of one type of machine last.`,
		Example: `  wrightctl gen config site7 https://10.0.0.1:6443
  wrightctl gen config site7 https://10.0.0.1:6443 --with-secrets site7/secrets.yaml -o nodes
  wrightctl gen config site7 https://10.0.0.1:6443 -t worker -o - --config-patch @site7/patch.yaml
  wrightctl gen config site7 https://10.0.0.1:6443 --registry-mirror docker.io=https://mirror.example`,
		Args: cli.Arguments(2, 2, "NAME and ENDPOINT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ClusterName, opts.Endpoint = args[0], args[1]
			return runGenConfig(cmd.Context(), a, opts)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.StringVar(&opts.withSecrets, "with-secrets", "", "`FILE` of secrets that gen secrets made; - for standard input")
	bindServiceAccount(cmd, &opts.serviceAccount)
	f.StringSliceVarP(&opts.types, "output-types", "t", outputTypes(), "what to make")
	f.StringVarP(&opts.output, "output", "o", ".", "folder to write to; with a single type a file, or - for standard output")
	f.StringVar(&opts.InstallDisk, "install-disk", generate.DefaultInstallDisk, "disk to install to")
	f.StringVar(&opts.InstallImage, "install-image", "", "`REF` of the installer's image")
	f.StringVar(&opts.KubernetesVersion, "kubernetes-version", generate.DefaultKubernetesVersion, "version of Kubernetes")
	f.StringSliceVar(&opts.AdditionalSANs, "additional-sans", nil, "more names and addresses of the cluster, for its certificates")
	f.StringSliceVar(&opts.mirrors, "registry-mirror", nil, "`REGISTRY=URL` of a mirror (repeatable)")
	f.BoolVar(&opts.Docs, "with-docs", true, "say in comments what fields mean")
	f.BoolVar(&opts.Examples, "with-examples", true, "show in comments what else could be set")
	f.StringArrayVar(&opts.patches, "config-patch", nil, "`PATCH` for all machines, or @FILE (repeatable)")
	f.StringArrayVar(opts.patchesOf[generate.ControlPlane], "config-patch-control-plane", nil, "`PATCH` for machines of the control plane, or @FILE (repeatable)")
	f.StringArrayVar(opts.patchesOf[generate.Worker], "config-patch-worker", nil, "`PATCH` for workers, or @FILE (repeatable)")
	bindForce(cmd, &opts.force)
	cli.CompleteWords(cmd, "output-types", outputTypes())
	return cmd
}

func runGenConfig(ctx context.Context, a *app, opts genConfigOptions) error {
	if err := opts.complete(ctx, a); err != nil {
		return err
	}
	var outs []output
	for _, typ := range opts.types {
		path, err := opts.path(typ)
		if err != nil {
			return err
		}
		text, err := opts.make(a, typ)
		if err != nil {
			return err
		}
		outs = append(outs, output{path, text, secret})
	}
	return a.write(ctx, opts.force, outs...)
}

// complete checks the options, and reads or makes the secrets.
func (o *genConfigOptions) complete(ctx context.Context, a *app) error {
	for i, typ := range o.types {
		if !slices.Contains(outputTypes(), typ) || slices.Contains(o.types[:i], typ) {
			return report.WithHint(report.Errorf(report.Invalid, "--output-types: %q is unknown, or given twice", typ), "types: %s", strings.Join(outputTypes(), ", "))
		}
	}
	for _, m := range o.mirrors {
		registry, endpoint, _ := strings.Cut(m, "=")
		o.RegistryMirrors = append(o.RegistryMirrors, generate.RegistryMirror{Registry: registry, Endpoint: endpoint})
	}
	o.Secrets = &secrets.Bundle{}
	if err := o.Check(); err != nil {
		return err // before a key is made, which takes long
	}
	var err error
	if o.withSecrets != "" {
		o.Secrets, err = a.readSecrets(ctx, o.withSecrets)
		return err
	}
	o.Secrets, err = secrets.New(a.now, secrets.Options{ServiceAccount: pki.Algorithm(o.serviceAccount)})
	return err
}

// path is where an output of a type goes.
func (o *genConfigOptions) path(typ string) (string, error) {
	st, err := os.Stat(o.output)
	isFolder := err == nil && st.IsDir()
	switch {
	case o.output == "-" && len(o.types) > 1:
		return "", report.WithHint(report.Errorf(report.Invalid, "standard output takes one type, not %s", strings.Join(o.types, ", ")), "choose one with --output-types")
	case o.output == "-", len(o.types) == 1 && !isFolder:
		return o.output, nil
	case typ == talosconfig:
		return filepath.Join(o.output, typ), nil
	}
	return filepath.Join(o.output, typ+".yaml"), nil
}

// make is the text of an output.
func (o *genConfigOptions) make(a *app, typ string) ([]byte, error) {
	if typ == talosconfig {
		c, err := generate.Client(o.Options, []string{pki.RoleAdmin}, pki.Validity{From: a.now, For: clientValidity})
		if err != nil {
			return nil, err
		}
		return c.Marshal()
	}
	text, err := generate.Machine(generate.Type(typ), o.Options)
	if err != nil {
		return nil, err
	}
	args := slices.Concat(o.patches, *o.patchesOf[generate.Type(typ)])
	if len(args) == 0 {
		return text, nil
	}
	c, err := config.Load(typ, text)
	if err != nil {
		return nil, err
	}
	return applyPatches(c, args)
}
