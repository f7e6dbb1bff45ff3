package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/client"
	"github.com/bootwright/bootwright/machine/config"
)

// clientOptions say which client configuration is meant, and which of its contexts.
type clientOptions struct{ file, context string }

func newConfigCommand(a *app) *cobra.Command {
	var opts clientOptions
	cmd := &cobra.Command{
		Use:   "config",
		Short: "make, show and change the configuration of a client, talosconfig",
		Long: `config works on the client configuration in the file that --talosconfig names, or $TALOSCONFIG, or else on ~/.talos/config. Each of its
contexts says how to reach a cluster and as whom; one of them is current.`,
	}
	cmd.PersistentFlags().StringVar(&opts.file, "talosconfig", "", "`FILE` with the client configuration")
	cmd.PersistentFlags().StringVar(&opts.context, "context", "", "context to use instead of the current one")
	if err := cmd.RegisterFlagCompletionFunc("context", opts.complete(a)); err != nil {
		panic("wrightctl: " + err.Error()) // the flag was bound a line before
	}
	return cli.Parent(cmd,
		newConfigNewCommand(a, &opts),
		newConfigInfoCommand(a, &opts),
		newConfigContextsCommand(a, &opts),
		newConfigContextCommand(a, &opts),
		newConfigAddressesCommand(a, &opts, "endpoint", "that the client connects to", func(c *client.Context) *[]string { return &c.Endpoints }),
		newConfigAddressesCommand(a, &opts, "node", "that requests are for", func(c *client.Context) *[]string { return &c.Nodes }),
		newConfigMergeCommand(a, &opts),
		newConfigSchemaCommand(a),
	)
}

// newConfigSchemaCommand is about machines' configurations, and is here because people look for it here.
func newConfigSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of machine configurations",
		Long: `schema prints the JSON Schema (draft 2020-12) of a document of a machine's configuration, with which editors check, complete
and explain while one writes. Those that know yaml-language-server find it by the first line of a configuration:
  # yaml-language-server: $schema=machine.schema.json`,
		Example: "  wrightctl config schema > machine.schema.json",
		Args:    cli.Arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.write(cmd.Context(), false, output{path: "-", data: config.Schema()})
		},
	}
}

// path is the file's.
func (o *clientOptions) path() (string, error) {
	if path := cmp.Or(o.file, os.Getenv("TALOSCONFIG")); path != "" {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", report.WithHint(report.Errorf(report.Invalid, "no client configuration: %w", err), "give --talosconfig")
	}
	return filepath.Join(home, ".talos", "config"), nil
}

// load is the configuration and its path.
func (o *clientOptions) load(ctx context.Context, a *app) (*client.Config, string, error) {
	path, err := o.path()
	if err != nil {
		return nil, "", err
	}
	text, err := a.read(ctx, path)
	if err != nil {
		return nil, path, err
	}
	c, err := client.Load(path, text)
	return c, path, err
}

// change loads the configuration, changes it and saves it.
func (o *clientOptions) change(ctx context.Context, a *app, change func(*client.Config) error) error {
	c, path, err := o.load(ctx, a)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	text, err := c.Marshal()
	if err != nil {
		return err
	}
	return a.write(ctx, true, output{path, text, secret})
}

// complete offers the names of contexts in the shell.
func (o *clientOptions) complete(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, _, err := o.load(cmd.Context(), a)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.Names(), cobra.ShellCompDirectiveNoFileComp
	}
}

func newConfigContextsCommand(a *app, opts *clientOptions) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:     "contexts",
		Aliases: []string{"get-contexts"},
		Short:   "list contexts",
		Example: "  wrightctl config contexts --talosconfig site7/talosconfig",
		Args:    cli.Arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := opts.load(cmd.Context(), a)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(a.stdout, contextRows(c))
			}
			return printContexts(a, contextRows(c))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// contextRow is a context in the list.
type contextRow struct {
	Name      string   `json:"name"`
	Current   bool     `json:"current"`
	Endpoints []string `json:"endpoints"`
	Nodes     []string `json:"nodes"`
}

func contextRows(c *client.Config) []contextRow {
	rows := []contextRow{}
	for _, name := range c.Names() {
		context := c.Contexts[name]
		rows = append(rows, contextRow{name, name == c.Context, notNil(context.Endpoints), notNil(context.Nodes)})
	}
	return rows
}

// notNil is list as JSON should have it: [], not null.
func notNil(list []string) []string { return append([]string{}, list...) }

func printContexts(a *app, rows []contextRow) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CURRENT\tNAME\tENDPOINTS\tNODES")
	for _, r := range rows {
		current := ""
		if r.Current {
			current = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", current, r.Name, strings.Join(r.Endpoints, ","), strings.Join(r.Nodes, ","))
	}
	return w.Flush()
}

func newConfigContextCommand(a *app, opts *clientOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "context NAME",
		Aliases: []string{"use-context"},
		Short:   "make a context the current one",
		Example: "  wrightctl config context lab --talosconfig site7/talosconfig",
		Args:    cli.Arguments(1, 1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.change(cmd.Context(), a, func(c *client.Config) (err error) {
				c.Context, _, err = c.Select(args[0])
				return err
			})
		},
		ValidArgsFunction: opts.complete(a),
	}
}

// newConfigAddressesCommand sets one of the lists of addresses of a context.
func newConfigAddressesCommand(a *app, opts *clientOptions, name, what string, list func(*client.Context) *[]string) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ADDRESS...",
		Aliases: []string{name + "s"},
		Short:   "set the addresses " + what,
		Example: "  wrightctl config " + name + " 10.0.0.2 10.0.0.3 --talosconfig site7/talosconfig",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.change(cmd.Context(), a, func(c *client.Config) error {
				_, context, err := c.Select(opts.context)
				if err == nil {
					*list(context) = args
				}
				return err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

func newConfigMergeCommand(a *app, opts *clientOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "merge FILE",
		Short: "add the contexts of another client configuration",
		Long: `merge adds the contexts in FILE and makes its current context current. A context whose name is taken gets another one, which is
told.`,
		Example: "  wrightctl config merge lab/talosconfig --talosconfig site7/talosconfig",
		Args:    cli.Arguments(1, 1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runConfigMerge(cmd.Context(), a, opts, args[0])
		},
	}
}

func runConfigMerge(ctx context.Context, a *app, opts *clientOptions, file string) error {
	text, err := a.read(ctx, file)
	if err != nil {
		return err
	}
	other, err := client.Load(file, text)
	if err != nil {
		return err
	}
	c, path, err := opts.load(ctx, a)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = &client.Config{}, nil
	}
	if err != nil {
		return err
	}
	for _, r := range c.Merge(other) {
		fmt.Fprintf(a.stderr, "context %q is now called %q\n", r.From, r.To)
	}
	if text, err = c.Marshal(); err != nil {
		return err
	}
	return a.write(ctx, true, output{path, text, secret})
}

func newConfigInfoCommand(a *app, opts *clientOptions) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "show the current context: whom it is for, and for how long",
		Example: "  wrightctl config info --talosconfig site7/talosconfig",
		Args:    cli.Arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := opts.info(cmd.Context(), a)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(a.stdout, info)
			}
			return info.print(a)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// contextInfo is what can be said of a context without its secrets.
type contextInfo struct {
	Context   string     `json:"context"`
	Nodes     []string   `json:"nodes"`
	Endpoints []string   `json:"endpoints"`
	Roles     []string   `json:"roles"`
	Expires   *time.Time `json:"expires,omitempty"`
}

func (o *clientOptions) info(ctx context.Context, a *app) (contextInfo, error) {
	c, path, err := o.load(ctx, a)
	if err != nil {
		return contextInfo{}, err
	}
	name, context, err := c.Select(o.context)
	if err != nil {
		return contextInfo{}, report.Errorf(report.KindOf(err), "%s: %w", path, err)
	}
	info := contextInfo{Context: name, Nodes: notNil(context.Nodes), Endpoints: notNil(context.Endpoints), Roles: []string{}}
	if len(context.Crt) == 0 {
		return info, nil
	}
	crt, err := context.Certificate()
	if err != nil {
		return info, report.Errorf(report.Invalid, "%s: context %s: %w", path, name, err)
	}
	info.Roles = append(info.Roles, crt.Subject.Organization...)
	info.Expires = &crt.NotAfter
	return info, nil
}

func (i contextInfo) print(a *app) error {
	list := func(words []string) string { return cmp.Or(strings.Join(words, ", "), "not defined") }
	out := fmt.Sprintf("Current context:     %s\nNodes:               %s\nEndpoints:           %s\n", i.Context, list(i.Nodes), list(i.Endpoints))
	if i.Expires != nil {
		when := "expired"
		switch hours := int(i.Expires.Sub(a.now).Hours()); {
		case hours >= 72:
			when = fmt.Sprintf("in %d days", hours/24)
		case i.Expires.After(a.now):
			when = fmt.Sprintf("in %d hours", hours)
		}
		out += fmt.Sprintf("Roles:               %s\nCertificate expires: %s (%s)\n", list(i.Roles), i.Expires.UTC().Format(time.DateOnly), when)
	}
	_, err := fmt.Fprint(a.stdout, out)
	return err
}
