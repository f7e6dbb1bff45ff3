package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// VersionCommand is the command that prints to w which version of a program this is.
func VersionCommand(program string, w io.Writer) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version of " + program,
		Example: "  " + program + " version\n  " + program + " version --json",
		Args:    Arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return PrintJSON(w, Version())
			}
			_, err := fmt.Fprintf(w, "%s %s\n", program, Version())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// Build says which program this is, as the Go tool recorded it.
type Build struct {
	Version  string `json:"version"`            // a tag or pseudo-version; "(devel)" outside a repository
	Revision string `json:"revision,omitempty"` // of the repository
	Go       string `json:"go"`
	Platform string `json:"platform"` // operating system and architecture
}

// Version is the Build of this program.
func Version() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
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

// String is the version with what it was made by and for.
func (b Build) String() string { return fmt.Sprintf("%s (%s, %s)", b.Version, b.Go, b.Platform) }
