package volumes

import (
	"cmp"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/volumes/volumestest"
)

var update = flag.Bool("update", false, "write what is wanted anew")

// TestLayouts holds what becomes of machines against testdata: disks before, a configuration, and the steps, volumes and
// disks afterwards.
func TestLayouts(t *testing.T) {
	t.Parallel()
	for _, c := range volumestest.Cases(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got := outcome(t, machineOf(t, c))
			if *update {
				c.Update(t, got)
			} else if got != c.Want {
				t.Errorf("got\n%s\nwant\n%s", got, c.Want)
			}
		})
	}
}

func machineOf(t *testing.T, c volumestest.Case) Machine {
	t.Helper()
	m, err := ParseDescription(c.Name, c.Disks)
	if err == nil && c.Config != nil {
		m.Config, err = config.Load(c.Name, c.Config)
	}
	if err == nil {
		m.Wipe, err = ParseWipe(c.Wipe)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.Meta != "" {
		m.StateEncryption = &v1alpha1.Encryption{Provider: c.Meta}
	}
	return m
}

// outcome is what becomes of a machine, as text. Whatever is done, the invariants hold.
func outcome(t *testing.T, m Machine) string {
	t.Helper()
	var out strings.Builder
	steps, after, last := Simulate(m)
	for _, s := range steps {
		fmt.Fprintf(&out, "%s %s %s %d %q at %d, %d bytes\n", s.Action, s.Volume, s.Disk, s.Number, s.Name, s.Start, s.Size)
	}
	for _, v := range last.Volumes {
		fmt.Fprintf(&out, "%s: %s %s %s: %s\n", v.ID, v.Phase, v.Location, blockdev.Pretty(v.Size), v.Reason)
		for _, d := range v.Verdicts {
			fmt.Fprintf(&out, "    %s: %s\n", d.Disk, cmp.Or(d.Reason, "taken"))
		}
	}
	out.WriteString(after.Layout())
	checkUntouched(t, m, after)
	return out.String()
}

// checkUntouched: what held something before holds the same afterwards, unless it was to be wiped.
func checkUntouched(t *testing.T, before, after Machine) {
	t.Helper()
	if !before.Wipe.none() {
		return
	}
	for _, v := range before.Volumes {
		if v.Blank || v.Name == "gpt" || strings.HasPrefix(v.PartitionLabel, unfinishedPrefix) {
			continue
		}
		found := false
		for _, w := range after.Volumes {
			found = found || w.ID == v.ID && w.Name == v.Name && w.Offset == v.Offset && w.Size >= v.Size && w.PartitionLabel == v.PartitionLabel
		}
		if !found {
			t.Errorf("%s held %s and is not what it was", v.ID, v.Name)
		}
	}
}

func TestParseWipe(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{
		"":                       "{false []} <nil>",
		"system":                 "{true []} <nil>",
		"system:EPHEMERAL,STATE": "{false [EPHEMERAL STATE]} <nil>",
		"system:":                "{false []} talos.experimental.wipe=system:: give system, or system:EPHEMERAL,STATE; nothing is wiped",
		"system:EFI":             `{false []} talos.experimental.wipe: "EFI" cannot be wiped, only STATE, EPHEMERAL and META; nothing is wiped`,
		"yes":                    "{false []} talos.experimental.wipe=yes: give system, or system:EPHEMERAL,STATE; nothing is wiped",
	} {
		w, err := ParseWipe(argument)
		if got := fmt.Sprint(w, " ", err); got != want {
			t.Errorf("%q: %s, want %s", argument, got, want)
		}
	}
}
