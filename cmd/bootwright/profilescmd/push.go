package profilescmd

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/inherit"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
)

// NewPush is the command that puts a profile into an image. read reads a file; bind gives a command the flags of the cache and of
// registries, and what it returns opens a client by them, and says how to close it.
func NewPush(stdout io.Writer, read func(name string) ([]byte, error), bind func(*cobra.Command) func() (*fetch.Client, func(), error), annotations map[string]string) *cobra.Command {
	var json bool
	var open func() (*fetch.Client, func(), error)
	cmd := &cobra.Command{
		Use:         "push FILE REF",
		Short:       "put a profile into a registry, for others to be based on",
		Long:        `push checks a profile and puts it to HOST/REPO[:TAG] of a registry, or oci:DIR[:TAG], where baseProfileName finds it.`,
		Example:     "  bootwright profiles push site.yaml registry.example.com/profiles/site:v1",
		Annotations: annotations,
		Args:        cli.Arguments(2, 2, "a FILE and a REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := read(args[0])
			if err != nil {
				return err
			}
			client, closed, err := open()
			if err != nil {
				return err
			}
			defer closed()
			return runPush(cmd.Context(), stdout, client, args, text, json)
		},
	}
	open = bind(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "print what was pushed as JSON")
	return cmd
}

func runPush(ctx context.Context, stdout io.Writer, client *fetch.Client, args []string, text []byte, json bool) error {
	ref, err := reference.Parse(args[1])
	if err != nil {
		return err
	}
	if ref.Digest, err = inherit.Push(ctx, client, ref, args[0], text); err != nil {
		return err
	}
	if json {
		return cli.PrintJSON(stdout, struct {
			Reference reference.Reference `json:"reference"`
			Digest    blob.Digest         `json:"digest"`
		}{ref, ref.Digest})
	}
	_, err = fmt.Fprintln(stdout, ref)
	return err
}
