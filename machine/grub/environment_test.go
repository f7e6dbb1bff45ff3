package grub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// TestEnvironment: grub-editenv reads what is written here, and what it writes is read here.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "grub-editenv")
	file := filepath.Join(t.TempDir(), "grubenv")
	for _, e := range []Environment{{}, {"0123456789ab", 3}, {"0123456789ab", 0}} {
		if err := os.WriteFile(file, []byte(e.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		listed := oracle.Run(t, "grub-editenv", file, "list")
		if strings.Contains(listed, "trial=0123456789ab") != (e.Trial != "") {
			t.Errorf("%+v: %q", e, listed)
		}
		oracle.Run(t, "grub-editenv", file, "set", "tries=2")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseEnvironment(string(text)); err != nil || got.Trial != e.Trial || e.Trial != "" && got.Tries != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		// A power cut within GRUB's write leaves one of two whole counts: they differ in one sector.
		if string(text[512:]) != e.String()[512:] {
			t.Errorf("%+v: GRUB changes the second sector", e)
		}
	}
	for _, bad := range []string{"", strings.Repeat("#", environmentSize), Environment{}.String() + "#", strings.Replace(Environment{Trial: "ab", Tries: 1}.String(), "tries=1", "tries=x", 1)} {
		if e, err := ParseEnvironment(bad); report.KindOf(err) != report.Invalid {
			t.Errorf("%.60q: %+v, %v", bad, e, err)
		}
	}
}

// TestMenu: what String writes is a script to GRUB, and ParseMenu reads it.
func TestMenu(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "grub-script-check")
	entry := func(name string, initrds ...string) Entry {
		return Entry{"bootwright " + name, "talos.platform=metal x='a b'", "boot/" + name + "/vmlinuz", append([]string{"boot/" + name + "/initramfs.img"}, initrds...)}
	}
	one := NewMenu(entry("aaa", "boot/aaa/config.img"))
	for name, m := range map[string]*Menu{
		"one": one, "two": one.Add(entry("bbb"), ""), "trial": one.Add(entry("bbb"), "bbb"),
		"flipped": {Default: 1, Trial: "bbb", entries: one.Add(entry("bbb"), "").entries},
	} {
		text := m.String()
		file := filepath.Join(t.TempDir(), "grub.cfg")
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		oracle.Run(t, "grub-script-check", file)
		counts := strings.Count(text, "save_env")
		if want := map[string]int{"trial": Tries}[name]; counts != want {
			t.Errorf("%s: %d tries in\n%s", name, counts, text)
		}
		got, err := ParseMenu(text)
		if err != nil || got.Default != m.Default || got.Len() != m.Len() || (got.Trial == "bbb") != (name == "trial") || got.String() != text {
			t.Errorf("%s: %+v, %v\n%s", name, got, err, text)
		}
		if last := got.Len() - 1; got.Kernel(last) != "boot/aaa/vmlinuz" || len(got.Initrds(last)) != 2 || got.Initrds(last)[1] != "boot/aaa/config.img" || !got.Holds("boot/aaa") {
			t.Errorf("%s: %s, %s", name, got.Kernel(last), got.Initrds(last))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(NewMenu(Entry{Title: "a", Kernel: "boot/a/vmlinuz"}).Add(Entry{Title: "b", Kernel: "boot/b/vmlinuz"}, "bb").String())
	f.Add(Environment{"ab", 2}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := ParseEnvironment(text); err == nil {
			if again, err := ParseEnvironment(e.String()); err != nil || again != e {
				t.Errorf("%+v, then %+v, %v", e, again, err)
			}
		}
		if m, err := ParseMenu(text); err == nil {
			if again, err := ParseMenu(m.String()); err != nil || again.String() != m.String() {
				t.Errorf("%q, then %q, %v", m, again, err)
			}
		}
	})
}
