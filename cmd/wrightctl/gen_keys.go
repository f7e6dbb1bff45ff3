package main

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/pki"
)

// must marks flags that have to be given.
func must(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic("wrightctl: " + err.Error()) // the flag was bound before
		}
	}
}

type genCAOptions struct {
	organization string
	hours        int
	rsa, force   bool
}

func newGenCACommand(a *app) *cobra.Command {
	var opts genCAOptions
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "make a certificate authority",
		Long: `ca makes a key and a certificate that may sign others: ORGANIZATION.key, ORGANIZATION.crt, and ORGANIZATION.sha256 with the
SHA-256 of its public key in base64.`,
		Example: "  wrightctl gen ca --organization lab",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGenCA(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVar(&opts.organization, "organization", "", "whose authority it is, and the beginning of the files' names")
	cmd.Flags().IntVar(&opts.hours, "hours", int(pki.AuthorityValidity.Hours()), "how long the certificate is valid")
	cmd.Flags().BoolVar(&opts.rsa, "rsa", false, "make an RSA key of 4096 bits, not an Ed25519 key")
	bindForce(cmd, &opts.force)
	must(cmd, "organization")
	return cmd
}

func runGenCA(ctx context.Context, a *app, opts genCAOptions) error {
	if opts.organization == "" {
		return report.Errorf(report.Invalid, "--organization is empty")
	}
	v, err := a.validity(opts.hours)
	if err != nil {
		return err
	}
	algorithm := pki.Ed25519
	if opts.rsa {
		algorithm = pki.RSA4096
	}
	ca, err := pki.NewAuthority(pki.Subject{Organization: []string{opts.organization}}, algorithm, v)
	if err != nil {
		return err
	}
	crt, err := ca.Certificate()
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force,
		output{opts.organization + ".crt", ca.Crt, public},
		output{opts.organization + ".sha256", []byte(pki.Fingerprint(crt) + "\n"), public},
		output{opts.organization + ".key", ca.Key, secret})
}

type genKeyOptions struct {
	name         string
	pkcs8, force bool
}

func newGenKeyCommand(a *app) *cobra.Command {
	var opts genKeyOptions
	cmd := &cobra.Command{
		Use:   "key",
		Short: "make an Ed25519 key",
		Long: `key makes an Ed25519 key in NAME.key. Its PEM type is the one that machines know, ED25519 PRIVATE KEY; with --pkcs8 it is the
standard one, for openssl and others.`,
		Example: "  wrightctl gen key --name admin\n  wrightctl gen key --name admin --pkcs8",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGenKey(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVar(&opts.name, "name", "", "beginning of the file's name")
	cmd.Flags().BoolVar(&opts.pkcs8, "pkcs8", false, "write the key as other programs read it")
	bindForce(cmd, &opts.force)
	must(cmd, "name")
	return cmd
}

func runGenKey(ctx context.Context, a *app, opts genKeyOptions) error {
	key, err := pki.GenerateKey(pki.Ed25519)
	if err == nil && opts.pkcs8 {
		key, err = pki.MarshalPKCS8(key)
	}
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force, output{opts.name + ".key", key, secret})
}

type genCSROptions struct {
	key   string
	ips   []string
	roles []string
	force bool
}

func newGenCSRCommand(a *app) *cobra.Command {
	var opts genCSROptions
	cmd := &cobra.Command{
		Use:     "csr",
		Short:   "make a signing request for a key",
		Long:    "csr asks for a certificate for a key and writes the request beside it, with .csr for .key.",
		Example: "  wrightctl gen csr --key site7/admin.key --ip 10.0.0.2 --roles os:reader",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGenCSR(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVar(&opts.key, "key", "", "`FILE` with the key")
	cmd.Flags().StringSliceVar(&opts.ips, "ip", nil, "`ADDRESS` of whom the certificate is for (repeatable)")
	bindRoles(cmd, &opts.roles)
	bindForce(cmd, &opts.force)
	must(cmd, "key")
	return cmd
}

func bindRoles(cmd *cobra.Command, roles *[]string) {
	cmd.Flags().StringSliceVar(roles, "roles", []string{pki.RoleAdmin}, "what the client may do, a list of "+strings.Join(pki.Roles(), ", "))
	cli.CompleteWords(cmd, "roles", pki.Roles())
}

func runGenCSR(ctx context.Context, a *app, opts genCSROptions) error {
	if err := pki.CheckRoles(opts.roles); err != nil {
		return err
	}
	s := pki.Subject{Organization: opts.roles}
	for _, text := range opts.ips {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return report.Errorf(report.Invalid, "--ip %s is not an IP address", text)
		}
		s.IPs = append(s.IPs, ip)
	}
	key, err := a.read(ctx, opts.key)
	if err != nil {
		return err
	}
	request, err := pki.NewRequest(key, s)
	if err != nil {
		return report.Errorf(report.Invalid, "%s: %w", opts.key, err)
	}
	return a.write(ctx, opts.force, output{strings.TrimSuffix(opts.key, filepath.Ext(opts.key)) + ".csr", request, public})
}

type genCrtOptions struct {
	ca, csr, name string
	hours         int
	force         bool
}

func newGenCrtCommand(a *app) *cobra.Command {
	var opts genCrtOptions
	cmd := &cobra.Command{
		Use:     "crt",
		Short:   "sign a signing request",
		Long:    "crt signs a request with the authority in CA.crt and CA.key and writes the certificate, which is one for clients, to NAME.crt.",
		Example: "  wrightctl gen crt --ca site7/ca --csr site7/reader.csr --name reader --hours 8",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGenCrt(cmd.Context(), a, opts) },
	}
	cmd.Flags().StringVar(&opts.ca, "ca", "", "beginning of the names of the authority's files")
	cmd.Flags().StringVar(&opts.csr, "csr", "", "`FILE` with the signing request")
	cmd.Flags().StringVar(&opts.name, "name", "", "beginning of the file's name")
	cmd.Flags().IntVar(&opts.hours, "hours", 24, "how long the certificate is valid")
	bindForce(cmd, &opts.force)
	must(cmd, "ca", "csr", "name")
	return cmd
}

func runGenCrt(ctx context.Context, a *app, opts genCrtOptions) error {
	v, err := a.validity(opts.hours)
	if err != nil {
		return err
	}
	var ca pki.Pair
	if ca.Crt, err = a.read(ctx, opts.ca+".crt"); err != nil {
		return err
	}
	if ca.Key, err = a.read(ctx, opts.ca+".key"); err != nil {
		return err
	}
	request, err := a.read(ctx, opts.csr)
	if err != nil {
		return err
	}
	crt, err := ca.Sign(request, v, pki.ForClient)
	if err != nil {
		return err
	}
	return a.write(ctx, opts.force, output{opts.name + ".crt", crt, public})
}
