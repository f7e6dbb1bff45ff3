// Package reportcmd is `wrightctl report`: what a machine said of its disks and volumes, as the tables of the configuration
// guide (section 5).
package reportcmd

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Env is what the command needs of the program that it is part of.
type Env struct {
	Stdout io.Writer
	Read   func(ctx context.Context, path string) ([]byte, error) // a file; - is standard input
}

// NewCommand is the command.
func NewCommand(e Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report FILE [SECTION]...",
		Short: "show what a machine said of its disks and volumes",
		Long: `report prints tables of a boot report: of /run/bootwright/report.json, or of what the machine's serial console showed. The
sections are disks, discoveredvolumes, volumeconfigs and volumestatus; all of them where none is named.`,
		Example: `  wrightctl report console.txt
  wrightctl report console.txt disks volumestatus
  wrightctl report console.txt volumeconfigs --json`,
		Args: cli.Arguments(1, len(sections())+1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), e, args[0], args[1:], asJSON)
		},
		ValidArgsFunction: complete,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: all that is known of what the tables name")
	return cmd
}

func complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return names(), cobra.ShellCompDirectiveNoFileComp
}

func run(ctx context.Context, e Env, file string, wanted []string, asJSON bool) error {
	chosen, err := choose(wanted)
	if err != nil {
		return err
	}
	text, err := e.Read(ctx, file)
	if err != nil {
		return err
	}
	r, err := bootreport.Parse(text)
	if err != nil {
		return report.Errorf(report.KindOf(err), "%s: %w", file, err)
	}
	if asJSON {
		all := map[string]any{}
		for _, s := range chosen {
			all[s.name] = s.all(r)
		}
		return cli.PrintJSON(e.Stdout, all)
	}
	for i, s := range chosen {
		if i > 0 {
			if _, err := io.WriteString(e.Stdout, "\n"); err != nil {
				return err
			}
		}
		if err := draw(e.Stdout, s, r); err != nil {
			return err
		}
	}
	return nil
}

// choose are the sections of those names.
func choose(wanted []string) ([]section, error) {
	if len(wanted) == 0 {
		return sections(), nil
	}
	var chosen []section
	for _, name := range wanted {
		i := slices.IndexFunc(sections(), func(s section) bool { return s.name == strings.ToLower(name) })
		if i < 0 {
			return nil, report.Errorf(report.Invalid, "there is no section %.40q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, sections()[i])
	}
	return chosen, nil
}

func names() (all []string) {
	for _, s := range sections() {
		all = append(all, s.name)
	}
	return all
}

// draw prints a table.
func draw(w io.Writer, s section, r *bootreport.Report) error {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	line := func(cells ...string) { io.WriteString(out, strings.Join(cells, "\t")+"\n") }
	line(append([]string{"NODE", "NAMESPACE", "TYPE", "ID", "VERSION"}, s.columns...)...)
	rows := s.rows(r)
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.id, b.id) })
	for _, row := range rows {
		line(append([]string{node(r), "runtime", s.kind, row.id, strconv.Itoa(row.version)}, row.cells...)...)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// node is what the machine is called: its first address, else its name.
func node(r *bootreport.Report) string {
	for _, l := range r.Network.Links {
		for _, a := range l.Addresses {
			if address, _, _ := strings.Cut(a.Address, "/"); l.Name != "lo" {
				return address
			}
		}
	}
	return cmp.Or(r.Hostname, "-")
}

// section is a table.
type section struct {
	name, kind string
	columns    []string // after those that all have
	all        func(*bootreport.Report) any
	rows       func(*bootreport.Report) []row
}

type row struct {
	id      string
	version int
	cells   []string
}

func sections() []section {
	return []section{
		{
			"disks", "Disk", []string{"SIZE", "READ ONLY", "TRANSPORT", "ROTATIONAL", "WWID", "MODEL", "SERIAL"},
			func(r *bootreport.Report) any { return r.Disks }, disks,
		},
		{
			"discoveredvolumes", "DiscoveredVolume", []string{"TYPE", "SIZE", "DISCOVERED", "LABEL", "PARTITIONLABEL"},
			func(r *bootreport.Report) any { return r.Discovered }, discovered,
		},
		{"volumeconfigs", "VolumeConfig", nil, func(r *bootreport.Report) any { return r.VolumeConfigs }, configs},
		{
			"volumestatus", "VolumeStatus", []string{"PHASE", "LOCATION", "SIZE"},
			func(r *bootreport.Report) any { return r.Volumes }, status,
		},
	}
}

func disks(r *bootreport.Report) (rows []row) {
	for _, d := range r.Disks {
		rotational := ""
		if d.Rotational {
			rotational = "true"
		}
		rows = append(rows, row{d.Name, d.Version, []string{
			blockdev.Pretty(uint64(d.Size)), strconv.FormatBool(d.ReadOnly), d.Transport, rotational, d.WWID, d.Model, d.Serial,
		}})
	}
	return rows
}

func discovered(r *bootreport.Report) (rows []row) {
	for _, v := range r.Discovered {
		rows = append(rows, row{v.ID, v.Version, []string{v.Type, blockdev.Pretty(v.Size), v.Discovered, v.Label, v.PartitionLabel}})
	}
	return rows
}

func configs(r *bootreport.Report) (rows []row) {
	for _, c := range r.VolumeConfigs {
		rows = append(rows, row{c.ID, c.Version, nil})
	}
	return rows
}

func status(r *bootreport.Report) (rows []row) {
	for _, v := range r.Volumes {
		size := ""
		if v.Size > 0 {
			size = blockdev.Pretty(v.Size)
		}
		rows = append(rows, row{v.ID, v.Version, []string{v.Phase, v.Location, size}})
	}
	return rows
}
