// Package volumescmd is `wrightctl volumes`: what a machine would do with its disks.
package volumescmd

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/volumes"
)

// Env is what the commands need of the program that they are part of.
type Env struct {
	Stdout io.Writer
	Read   func(ctx context.Context, path string) ([]byte, error) // a file; - is standard input
}

// NewCommand is the command.
func NewCommand(e Env) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "volumes",
		Short: "say what becomes of a machine's disks",
	}, newPlanCommand(e))
}

type planOptions struct {
	config, disks, wipe string
	json                bool
}

func newPlanCommand(e Env) *cobra.Command {
	var opts planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "say which volumes a machine would make on its disks, and why not others",
		Long: `plan does in mind what a machine does with its disks when it boots: which partitions it takes for its volumes, which it makes
and where, and for each disk that a volume does not get, why. The code is the machine's own.

The disks come from a machine's boot report (its file, or what its console showed), or are written by hand:

  disks:
    - name: vda
      size: 20GiB
      transport: virtio
      partitions:
        - {label: EFI, size: 300MiB, holds: vfat}
        - {label: META, size: 1MiB, holds: talosmeta}
    - {name: nvme0n1, size: 1TB, transport: nvme}

It fails if a volume would not become ready.`,
		Example: `  wrightctl volumes plan --config site7/worker.yaml --disks disks.yaml
  wrightctl volumes plan --config site7/worker.yaml --disks disks.yaml --wipe system:EPHEMERAL --json`,
		Args: cli.Arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), e, opts) },
	}
	cmd.Flags().StringVarP(&opts.config, "config", "c", "", "`FILE` with the machine configuration; without it there is none")
	cmd.Flags().StringVarP(&opts.disks, "disks", "d", "", "`FILE` with the disks; - for standard input")
	cmd.Flags().StringVar(&opts.wipe, "wipe", "", "`WHAT` the kernel argument talos.experimental.wipe would say")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	if err := cmd.MarkFlagRequired("disks"); err != nil {
		panic("wrightctl: " + err.Error()) // the flag was bound before
	}
	return cmd
}

func runPlan(ctx context.Context, e Env, opts planOptions) error {
	text, err := e.Read(ctx, opts.disks)
	if err != nil {
		return err
	}
	m, err := disksOf(opts.disks, text)
	if err != nil {
		return err
	}
	if m.Wipe, err = volumes.ParseWipe(opts.wipe); err != nil {
		return err
	}
	if opts.config != "" {
		if text, err = e.Read(ctx, opts.config); err != nil {
			return err
		}
		var findings report.Findings
		if m.Config, findings = config.Check(opts.config, text, check.Options{Mode: check.Metal}); findings.Err() != nil {
			return findings.Err()
		}
	}
	steps, after, last := volumes.Simulate(m)
	if opts.json {
		err = cli.PrintJSON(e.Stdout, newPlan(m, steps, after, last))
	} else {
		_, err = e.Stdout.Write(drawPlan(m, steps, after, last))
	}
	if err != nil {
		return err
	}
	return unready(last)
}

// unready is an error where a volume that is to be there is not.
func unready(last volumes.Plan) error {
	var names []string
	for _, v := range last.Volumes {
		if v.Phase == volumes.Failed || v.Phase == volumes.Waiting {
			names = append(names, v.ID)
		}
	}
	if names == nil {
		return nil
	}
	return report.Errorf(report.Negative, "not ready: %s", strings.Join(names, ", "))
}

// disksOf reads disks: a boot report, alone or on what a console showed, or a description.
func disksOf(name string, text []byte) (volumes.Machine, error) {
	if !bytes.Contains(text, []byte(bootreport.Prefix)) && !bytes.Contains(text, []byte(`"discoveredVolumes"`)) {
		return volumes.ParseDescription(name, text)
	}
	r, err := bootreport.Parse(text)
	if err != nil {
		return volumes.Machine{}, report.Errorf(report.Invalid, "%s: %w", name, err)
	}
	var m volumes.Machine
	for _, d := range r.Disks {
		m.Disks = append(m.Disks, d.Device())
	}
	for _, v := range r.Discovered {
		m.Volumes = append(m.Volumes, v.Volume())
	}
	return m, nil
}

// plan is what --json prints.
type plan struct {
	SystemDisk string            `json:"systemDisk"`
	Steps      []volumeStep      `json:"steps"`
	Volumes    []volumeOutcome   `json:"volumes"`
	After      []blockdev.Volume `json:"after"` // what is on the disks afterwards
}

type volumeStep struct {
	Action   string   `json:"action"`
	Volume   string   `json:"volume,omitempty"`
	Disk     string   `json:"disk"`
	Number   int      `json:"partition,omitempty"`
	Start    uint64   `json:"start,omitempty"` // bytes
	Size     uint64   `json:"size,omitempty"`  // bytes
	Commands []string `json:"commands"`        // that do the same
}

type volumeOutcome struct {
	ID       string        `json:"id"`
	Phase    string        `json:"phase"`
	Location string        `json:"location,omitempty"`
	Size     uint64        `json:"size,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Disks    []diskOutcome `json:"disks,omitempty"`
}

type diskOutcome struct {
	Disk   string `json:"disk"`
	Reason string `json:"reason"` // empty where it gets the volume
}

func newPlan(m volumes.Machine, steps []volumes.Step, after volumes.Machine, last volumes.Plan) plan {
	p := plan{SystemDisk: last.SystemDisk, Steps: []volumeStep{}, After: after.Volumes}
	for _, s := range steps {
		p.Steps = append(p.Steps, volumeStep{string(s.Action), s.Volume, s.Disk, s.Number, s.Start, s.Size, volumes.Commands(after, s)})
	}
	for _, v := range last.Volumes {
		o := volumeOutcome{ID: v.ID, Phase: string(v.Phase), Location: v.Location, Size: v.Size, Reason: v.Reason}
		for _, d := range v.Verdicts {
			o.Disks = append(o.Disks, diskOutcome(d))
		}
		p.Volumes = append(p.Volumes, o)
	}
	return p
}

// drawPlan is the plan for people.
func drawPlan(m volumes.Machine, steps []volumes.Step, after volumes.Machine, last volumes.Plan) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "before:\n%s\nsteps:\n", indent(m.Layout()))
	for _, s := range steps {
		fmt.Fprintf(&out, "  %s %s on /dev/%s\n", s.Action, cmp.Or(s.Volume, "tables"), s.Disk)
		for _, c := range volumes.Commands(after, s) {
			fmt.Fprintf(&out, "      %s\n", c)
		}
	}
	if len(steps) == 0 {
		out.WriteString("  none\n")
	}
	fmt.Fprintf(&out, "\nafter:\n%s\nvolumes:\n", indent(after.Layout()))
	for _, v := range last.Volumes {
		size := ""
		if v.Size > 0 {
			size = blockdev.Pretty(v.Size)
		}
		fmt.Fprintf(&out, "%s\n", strings.TrimRight(fmt.Sprintf("  %-20s %-11s %-18s %s", v.ID, v.Phase, v.Location, size), " "))
		if v.Reason != "" {
			fmt.Fprintf(&out, "      %s\n", v.Reason)
		}
		for _, d := range v.Verdicts {
			fmt.Fprintf(&out, "      /dev/%s: %s\n", d.Disk, cmp.Or(d.Reason, "it gets the volume"))
		}
	}
	return out.Bytes()
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
