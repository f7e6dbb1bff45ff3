package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionOptions struct {
	json bool
}

func newVersionCommand(a *app) *cobra.Command {
	var opts versionOptions
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version of bootwright",
		Example: "  bootwright version\n  bootwright version --json",
		Args:    arguments(0, 0, ""),
		RunE:    func(*cobra.Command, []string) error { return runVersion(a, opts) },
	}
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runVersion(a *app, opts versionOptions) error {
	if opts.json {
		return printJSON(a.stdout, version())
	}
	_, err := fmt.Fprintf(a.stdout, "bootwright %s\n", version())
	return err
}

// build says which bootwright this is, as the Go tool recorded it.
type build struct {
	Version  string `json:"version"`            // a tag or pseudo-version; "(devel)" outside a repository
	Revision string `json:"revision,omitempty"` // of the repository
	Go       string `json:"go"`
	Platform string `json:"platform"` // operating system and architecture
}

func version() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func (b build) String() string { return fmt.Sprintf("%s (%s, %s)", b.Version, b.Go, b.Platform) }
