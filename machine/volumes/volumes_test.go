package volumes

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

var update = flag.Bool("update", false, "write what is wanted anew")

// TestLayouts holds what becomes of machines against testdata: disks before, a configuration, and the steps, volumes and
// disks afterwards.
func TestLayouts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, want := caseOf(t, a)
			got := outcome(t, m)
			if *update {
				a.Files[len(a.Files)-1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// caseOf reads a case, whose last file is what is wanted.
func caseOf(t *testing.T, a *txtar.Archive) (m Machine, want string) {
	t.Helper()
	for _, f := range a.Files {
		var err error
		switch text := strings.TrimSpace(string(f.Data)); f.Name {
		case "disks.yaml":
			m, err = ParseDescription(f.Name, f.Data)
		case "config.yaml":
			m.Config, err = config.Load(f.Name, f.Data)
		case "wipe":
			m.Wipe, err = ParseWipe(text)
		case "meta":
			m.StateEncryption = &v1alpha1.Encryption{Provider: text}
		case "want":
			want = string(f.Data)
		default:
			err = fmt.Errorf("unknown file %s", f.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m, want
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
