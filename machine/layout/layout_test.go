package layout

import (
	"slices"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// TestSystem has the order of the partitions and their fixed sizes, which existing disks have too.
func TestSystem(t *testing.T) {
	for b, want := range map[Bootloader][]string{
		SDBoot:   {EFI, Meta, State, Ephemeral},
		GRUB:     {BIOS, Boot, Meta, State, Ephemeral},
		DualBoot: {EFI, BIOS, Boot, Meta, State, Ephemeral},
	} {
		var got []string
		for _, p := range System(b) {
			got = append(got, p.Label)
			if p.MaxSize != 0 && p.MaxSize < p.MinSize || p.MinSize%Align != 0 || p.Type.IsZero() {
				t.Errorf("%s: %+v", b, p)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", b, got, want)
		}
	}
	if StateSize != 104857600 || MetaSize != 1048576 || EphemeralMinSize != 2147483648 {
		t.Error("a size is not that of the guide")
	}
	for label, guid := range map[string]string{
		EFI: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", BIOS: "21686148-6449-6E6F-744E-656564454649", Meta: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
	} {
		i := slices.IndexFunc(System(DualBoot), func(p Partition) bool { return p.Label == label })
		if got := System(DualBoot)[i].Type.String(); got != guid {
			t.Errorf("%s has type %s", label, got)
		}
	}
}

func TestRoom(t *testing.T) {
	for content, want := range map[int64]int64{0: 64 * MiB, 10 * MiB: 64 * MiB, 100 * MiB: 266 * MiB, 100*MiB + 1: 267 * MiB} {
		if got := Room(content); got != want || got%Align != 0 || got < 2*content {
			t.Errorf("Room(%d) = %d, want %d", content, got, want)
		}
	}
}

func TestParseBootloader(t *testing.T) {
	for _, b := range []Bootloader{SDBoot, GRUB, DualBoot} {
		if got, err := ParseBootloader(string(b)); got != b || err != nil || !(b.UEFI() || b.BIOS()) {
			t.Errorf("%s: %s, %v", b, got, err)
		}
	}
	if _, err := ParseBootloader("lilo"); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
}
