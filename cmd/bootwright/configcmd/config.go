// Package configcmd is `bootwright config`: the commands that look at the machine configurations in a finished image, write
// others into it, and take them out.
package configcmd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/profiles"
)

// Env is what the commands need of the program that they are part of.
type Env struct {
	Stdout io.Writer
	Say    func(format string, args ...any) // tells a person what is no result

	Annotations map[string]string // of commands whose examples need an ISO
}

// New is the command with all its children.
func New(e Env) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "config",
		Short: "show and exchange the machine configurations in a finished image",
	},
		newShowCommand(e),
		newInjectCommand(e),
		newResetCommand(e),
	)
}

// BindFlags gives a command the flags that say what configurations to bake in.
func BindFlags(cmd *cobra.Command, c *profiles.MachineConfig) {
	f := cmd.Flags()
	f.StringVar(&c.Path, "config", "", "machine configuration `FILE`, for every machine that has no other")
	f.StringVar(&c.Dir, "config-dir", "", "`FOLDER` of MATCH.yaml for one machine each: its UUID, serial number or MAC address")
	f.StringArrayVar(&c.Patches, "config-patch", nil, "`PATCH` of every machine configuration, or @FILE (repeatable)")
}

func newShowCommand(e Env) *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "show IMAGE [MATCH]",
		Short: "list the machine configurations in an ISO or raw disk image, or print one",
		Long: `show lists the machine configurations in an image, and how much room there is. With MATCH, which is "default" or a machine's
UUID, serial number or MAC address, it prints that one as it is, secrets included.`,
		Example:     "  bootwright config show metal-amd64.iso\n  bootwright config show metal-amd64.iso default > node.yaml",
		Annotations: e.Annotations,
		Args:        cli.Arguments(1, 2, "an image and one MATCH"),
		RunE: func(_ *cobra.Command, args []string) error {
			area, err := find(args[0])
			switch {
			case err != nil:
				return err
			case len(args) > 1:
				return printOne(e.Stdout, args[0], area, args[1])
			case json:
				return cli.PrintJSON(e.Stdout, summary(area))
			}
			return printAll(e.Stdout, area)
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON")
	return cmd
}

func find(path string) (*bake.Area, error) {
	image, err := blob.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	area, err := bake.Find(image)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%s: %w", path, err)
	}
	return area, nil
}

func printOne(w io.Writer, path string, area *bake.Area, match string) error {
	form, err := configarea.Match(match)
	if err != nil {
		return err
	}
	for _, e := range area.Entries {
		if e.Match == form {
			_, err := w.Write(e.Config)
			return err
		}
	}
	return report.WithHint(report.Errorf(report.NotFound, "%s has no machine configuration for %s", path, form), "`bootwright config show %s` lists what it has", path)
}

// contents are what is in an area, without what is secret.
type contents struct {
	Offset  int64   `json:"offset"` // bytes
	Size    int64   `json:"size"`
	Free    int64   `json:"free"`
	Configs []entry `json:"configs"`
}

type entry struct {
	Match     string      `json:"match"`
	Size      int         `json:"size"`
	Digest    blob.Digest `json:"digest"`
	Hostname  string      `json:"hostname,omitempty"`
	Documents []string    `json:"documents"` // none where it cannot be loaded
}

func summary(area *bake.Area) contents {
	out := contents{area.Offset, area.Size, area.Free(), []entry{}}
	for _, e := range area.Entries {
		row := entry{Match: e.Match, Size: len(e.Config), Digest: blob.SumBytes(e.Config), Documents: []string{}}
		if c, err := config.Load(e.Match, e.Config); err == nil {
			for _, d := range c.Documents() {
				row.Documents = append(row.Documents, d.String())
			}
			if main := c.Main(); main != nil {
				row.Hostname = main.Machine.Network.Hostname
			}
		}
		out.Configs = append(out.Configs, row)
	}
	return out
}

func printAll(w io.Writer, area *bake.Area) error {
	var text strings.Builder
	c := summary(area)
	if len(c.Configs) > 0 {
		t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "MATCH\tBYTES\tHOSTNAME\tDOCUMENTS")
		for _, e := range c.Configs {
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", e.Match, e.Size, e.Hostname, strings.Join(e.Documents, ", "))
		}
		t.Flush()
	}
	fmt.Fprintf(&text, "%d machine configurations, %d bytes free of %d\n", len(c.Configs), c.Free, c.Size)
	_, err := io.WriteString(w, text.String())
	return err
}

func newInjectCommand(e Env) *cobra.Command {
	var c profiles.MachineConfig
	cmd := &cobra.Command{
		Use:   "inject IMAGE",
		Short: "write machine configurations into a finished ISO or raw disk image, in place of those in it",
		Long: `inject writes machine configurations into the place that an image reserves for them, and leaves everything else as it is: what
is measured and signed stays the same. They are checked as in a build. What does not fit is refused, and the image unchanged.`,
		Example: `  bootwright config inject metal-amd64.iso --config node.yaml --config-patch @site.yaml
  bootwright config inject metal-amd64.iso --config-dir rack7/`,
		Annotations: e.Annotations,
		Args:        cli.Arguments(1, 1, "one image"),
		RunE: func(_ *cobra.Command, args []string) error {
			if !c.Given() {
				return report.WithHint(report.Errorf(report.Invalid, "no machine configuration"), "name one with --config or several with --config-dir")
			}
			entries, findings, err := bake.Load(c)
			if err != nil {
				return err
			}
			if len(findings) > 0 {
				e.Say("%s\n", findings.Error())
			}
			area, err := bake.Write(args[0], entries)
			if err != nil {
				return err
			}
			if st, err := os.Stat(args[0]); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o077 != 0 {
				e.Say("%s holds machine configurations now, and its mode %#o lets others read them; chmod 600 does not\n", args[0], st.Mode().Perm())
			}
			return printAll(e.Stdout, area)
		},
	}
	BindFlags(cmd, &c)
	return cmd
}

func newResetCommand(e Env) *cobra.Command {
	return &cobra.Command{
		Use:         "reset IMAGE",
		Short:       "take all machine configurations out of an image",
		Long:        `reset makes an image, byte for byte, what it would be if it had been built without machine configurations and with the same room.`,
		Example:     "  bootwright config reset metal-amd64.iso",
		Annotations: e.Annotations,
		Args:        cli.Arguments(1, 1, "one image"),
		RunE: func(_ *cobra.Command, args []string) error {
			area, err := bake.Write(args[0], nil)
			if err != nil {
				return err
			}
			return printAll(e.Stdout, area)
		},
	}
}
