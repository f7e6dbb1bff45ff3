// Package profilescmd is the part of `bootwright profiles` that is about built-in profiles and the schema.
package profilescmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/profiles"
)

// NewList is the command that lists the built-in profiles.
func NewList(stdout io.Writer) *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "list the built-in profiles",
		Example: "  bootwright profiles list\n  bootwright profiles list --json",
		Args:    cli.Arguments(0, 0, ""),
		RunE:    func(*cobra.Command, []string) error { return runList(stdout, json) },
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON")
	return cmd
}

// summary is one line of the list.
type summary struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Description string `json:"description"`
}

func runList(stdout io.Writer, json bool) error {
	var list []summary
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
		list = append(list, summary{name, p.Output.Kind, strings.TrimPrefix(first, "# ")})
	}
	if json {
		return cli.PrintJSON(stdout, list)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tMAKES")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Kind, s.Description)
	}
	return w.Flush()
}

// NewSchema is the command that prints the schema of profiles.
func NewSchema(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "print the JSON Schema of profiles, for editors",
		Example: "  bootwright profiles schema > profile.schema.json",
		Args:    cli.Arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Write(profiles.Schema())
			return err
		},
	}
}
