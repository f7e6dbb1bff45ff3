package install

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/pe"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// installed are the boot partitions of a fresh installation, as folders of room bytes.
func installed(t testing.TB, a *bootassets.Assets, room int64) (System, string) {
	t.Helper()
	d := newDisk(diskSize)
	p := plan(t, d, a, Options{})
	run(t, d, p)
	return folders(t, d, room), p.ID
}

// folders are the boot partitions of a disk.
func folders(t testing.TB, d *memDisk, room int64) System {
	t.Helper()
	table, err := gpt.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	s := map[string]*folder{}
	for _, part := range table.Partitions {
		if part.Name != layout.EFI && part.Name != layout.Boot {
			continue
		}
		v, err := fat.Read(part.Content)
		if err != nil {
			t.Fatal(err)
		}
		f := newFolder(room)
		for _, n := range v.Tree.Nodes() {
			if n.Mode.IsRegular() {
				if f.files[n.Path], err = blob.ReadAll(n.Open(), 1<<30); err != nil {
					t.Fatal(err)
				}
			}
		}
		s[part.Name] = f
	}
	return System{EFI: s[layout.EFI], Boot: s[layout.Boot]}
}

// pattern is a glob of sd-boot's as a regular expression.
func pattern(glob string) *regexp.Regexp {
	out := regexp.QuoteMeta(glob)
	for from, to := range map[string]string{`\*`: ".*", `\[`: "[", `\]`: "]"} {
		out = strings.ReplaceAll(out, from, to)
	}
	return regexp.MustCompile("^" + out + "$")
}

// startUEFI is what systemd-boot 252 does (src/boot/efi/boot.c): the default of loader.conf, else the first of the entries, of which those without tries
// come last and, of the same product, newer versions first. It counts. It returns the content of the UKI and the ID.
func startUEFI(t testing.TB, efi *folder) ([]byte, string) {
	t.Helper()
	var all []bootentry.Entry
	version := map[string]string{}
	for _, name := range efi.has(bootentry.Linux) {
		if e, ok := bootentry.Parse(name); ok {
			f, err := pe.Read(blob.Bytes(efi.files[path.Join(bootentry.Linux, name)]))
			if err != nil {
				continue // systemd-boot shows no entry for what it cannot read
			}
			for _, s := range f.Sections {
				if text, err := blob.ReadAll(s.Content, 1<<20); s.Name == ".osrel" && err == nil {
					version[name] = regexp.MustCompile(`VERSION_ID="(.*)"`).FindStringSubmatch(string(text))[1]
				}
			}
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b bootentry.Entry) int {
		bad := func(e bootentry.Entry) int {
			if e.Left == 0 {
				return 1
			}
			return 0
		}
		return cmp.Or(bad(a)-bad(b), cmp.Compare(version[b.File], version[a.File]), cmp.Compare(b.File, a.File))
	})
	if len(all) == 0 {
		t.Fatal("no entry to start")
	}
	pick := all[0]
	if m := regexp.MustCompile(`(?m)^default (.*)$`).FindSubmatch(efi.files[bootentry.LoaderConf]); m != nil {
		if i := slices.IndexFunc(all, func(e bootentry.Entry) bool { return pattern(string(m[1])).MatchString(e.File) }); i >= 0 {
			pick = all[i]
		}
	}
	name := path.Join(bootentry.Linux, pick.File)
	content := efi.files[name]
	if pick.Left > 0 {
		done := 0
		if m := regexp.MustCompile(`\+\d+-(\d+)`).FindStringSubmatch(pick.File); m != nil {
			done, _ = strconv.Atoi(m[1])
		}
		delete(efi.files, name)
		efi.files[path.Join(bootentry.Linux, "bootwright-"+pick.ID+"+"+strconv.Itoa(pick.Left-1)+"-"+strconv.Itoa(done+1)+".efi")] = content
	}
	return content, pick.ID
}

// startBIOS is what GRUB does: it counts where the menu says so and core can, and takes the default, or the next where that cannot be loaded.
func startBIOS(t testing.TB, boot *folder, core bool) (kernel, initramfs []byte, id string) {
	t.Helper()
	text := string(boot.files[bootentry.GRUBConfig])
	entries := regexp.MustCompile(`(?m)^  linux /boot/([0-9a-f]{12})/vmlinuz `).FindAllStringSubmatch(text, -1)
	first, _ := strconv.Atoi(regexp.MustCompile(`set default=(\d+)`).FindStringSubmatch(text)[1])
	env, err := grub.ParseEnvironment(string(boot.files[bootentry.GRUBEnv]))
	if core && err == nil && env.Trial != "" && strings.Contains(text, `"$trial" = "`+env.Trial+`"`) {
		if env.Tries == 0 {
			first = 1
		} else {
			env.Tries--
			boot.files[bootentry.GRUBEnv] = []byte(env.String())
		}
	}
	for i := range entries {
		id := entries[(first+i)%len(entries)][1]
		kernel, initramfs := boot.files[path.Join(bootentry.Folder(id), "vmlinuz")], boot.files[path.Join(bootentry.Folder(id), "initramfs.img")]
		if kernel != nil && initramfs != nil {
			return kernel, initramfs, id
		}
	}
	t.Fatalf("nothing that GRUB could start:\n%s\n%v", text, slices.Sorted(maps.Keys(boot.files)))
	return nil, nil, ""
}

func content(t testing.TB, b blob.Blob, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := blob.ReadAll(b, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func upgrade(t testing.TB, s System, a *bootassets.Assets, b Boot) Result {
	t.Helper()
	r, err := s.Upgrade(t.Context(), a, b, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFallBack upgrades to what never becomes good, upwards and downwards in version: after three tries the old system starts. With a GRUB
// that cannot count it starts when the new one began once.
func TestFallBack(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"v0", "v2"} {
		s, old := installed(t, assets(t, "v1"), 1<<30)
		r := upgrade(t, s, assets(t, next), Boot{})
		if !r.Changed || r.Previous != old {
			t.Errorf("%+v", r)
		}
		without := System{Boot: s.Boot.(*folder).clone(-1, false)}
		if _, _, id := startBIOS(t, without.Boot.(*folder), false); id != r.ID {
			t.Errorf("%s: GRUB starts %s", next, id)
		}
		if err := without.Tried(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, id := startBIOS(t, without.Boot.(*folder), false); id != old {
			t.Errorf("%s: GRUB starts %s again", next, id)
		}
		var uefi, bios []string
		for range 5 {
			_, id := startUEFI(t, s.EFI.(*folder))
			uefi = append(uefi, id)
			_, _, id = startBIOS(t, s.Boot.(*folder), true)
			bios = append(bios, id)
			if id == r.ID { // which gets so far, and no further
				if err := s.Tried(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want := []string{r.ID, r.ID, r.ID, old, old}; !slices.Equal(uefi, want) || !slices.Equal(bios, want) {
			t.Errorf("%s: %v and %v, want %v", next, uefi, bios, want)
		}
		// The same one once more gets its tries again.
		if again := upgrade(t, s, assets(t, next), Boot{}); !again.Changed || again.Previous != old {
			t.Errorf("%+v", again)
		}
		if _, _, id := startBIOS(t, s.Boot.(*folder), true); id != r.ID {
			t.Errorf("%s: GRUB does not start %s once more, but %s", next, r.ID, id)
		}
		// The next upgrade takes the place of the bad one, and the old one stays, on trial though the bad one still is.
		third := upgrade(t, s, assets(t, "v3"), Boot{})
		if names := s.EFI.(*folder).has(bootentry.Linux); len(names) != 2 || third.Previous != old {
			t.Errorf("%v, %+v", names, third)
		}
		if menu := string(s.Boot.(*folder).files[bootentry.GRUBConfig]); !strings.Contains(menu, old) || strings.Contains(menu, r.ID) {
			t.Error(menu)
		}
	}
}

// TestBack goes back to the system before, which needs no new trial.
func TestBack(t *testing.T) {
	t.Parallel()
	a := assets(t, "v1")
	s, old := installed(t, a, 1<<30)
	r := upgrade(t, s, assets(t, "v2"), Boot{})
	if err := s.Good(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if back := upgrade(t, s, a, Boot{}); back.Changed || back.ID != old {
		t.Errorf("%+v", back)
	}
	for range 5 {
		if _, id := startUEFI(t, s.EFI.(*folder)); id != old {
			t.Errorf("systemd-boot starts %s", id)
		}
		if _, _, id := startBIOS(t, s.Boot.(*folder), true); id != old {
			t.Errorf("GRUB starts %s", id)
		}
	}
}

// TestConfigSurvives: the configuration beside the old system is beside the new one, under every name that its UKI will have.
func TestConfigSurvives(t *testing.T) {
	t.Parallel()
	for _, config := range []string{"", "machine: {}\n"} {
		d := newDisk(diskSize)
		run(t, d, plan(t, d, assets(t, "v1"), Options{Config: []byte(config)}))
		s := folders(t, d, 1<<30)
		for _, version := range []string{"v2", "v3"} {
			r := upgrade(t, s, assets(t, version), Boot{})
			var with []string
			for range 4 {
				startUEFI(t, s.EFI.(*folder))
				for _, name := range s.EFI.(*folder).has(bootentry.Linux) {
					if e, ok := bootentry.Parse(name); ok && e.ID == r.ID && strings.Contains(string(s.EFI.(*folder).files[bootentry.Credentials(path.Join(bootentry.Linux, name))]), "machine: {}") {
						with = append(with, name)
					}
				}
				if len(with) == 3 {
					if err := s.Good(t.Context(), r.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			if want := 4; config != "" && len(with) != want || config == "" && len(with) > 0 {
				t.Errorf("%q: %v", config, with)
			}
			initrd := s.Boot.(*folder).files[path.Join(bootentry.Folder(r.ID), "config.img")]
			if menu := string(s.Boot.(*folder).files[bootentry.GRUBConfig]); strings.Contains(string(initrd), "machine: {}") != (config != "") || strings.Count(menu, "config.img") != 2*min(1, len(config)) {
				t.Errorf("%q: %d bytes\n%s", config, len(initrd), menu)
			}
		}
	}
}

// TestForget cuts the power when configurations are cleared: a system has its own or none, and in the end there is none, wherever it lay.
func TestForget(t *testing.T) {
	t.Parallel()
	config := []byte("machine: {token: hunter2}\n")
	for cut := 0; ; cut++ {
		for _, torn := range []bool{false, true} {
			d := newDisk(diskSize)
			run(t, d, plan(t, d, assets(t, "v1"), Options{Config: config}))
			s := folders(t, d, 1<<30)
			efi, boot := s.EFI.(*folder), s.Boot.(*folder)
			upgrade(t, s, assets(t, "v2"), Boot{})
			found, err := s.Copies()
			if err != nil || len(found.EFI) < 2 || len(found.Boot) != 2 {
				t.Fatalf("%+v, %v", found, err)
			}
			efi.left, efi.torn, boot.left, boot.torn = cut, torn, cut, torn
			cutErr := s.Forget(t.Context(), found)
			efi.left, boot.left = -1, -1
			for _, name := range found.EFI {
				if entries, err := configarea.Decode(efi.files[name]); err == nil && len(entries) > 0 && !bytes.Equal(entries[0].Config, config) {
					t.Errorf("%d, torn %v: %s has %q", cut, torn, name, entries)
				}
			}
			again, err := s.Copies()
			if err = errors.Join(err, s.Forget(t.Context(), again)); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*folder{efi, boot} {
				for name, text := range f.files {
					if bytes.Contains(text, []byte("hunter2")) {
						t.Errorf("%d, torn %v: %s still has it", cut, torn, name)
					}
				}
			}
			if after, err := s.Copies(); err != nil || !after.None() {
				t.Errorf("%d, torn %v: %+v, %v", cut, torn, after, err)
			}
			switch {
			case cutErr == nil && cut < 8:
				t.Fatalf("done after %d writes", cut)
			case cutErr == nil:
				return
			case !errors.Is(cutErr, errPower):
				t.Fatal(cutErr)
			}
		}
	}
}

// TestLoader: systemd-boot is replaced by a newer one, and by no other.
func TestLoader(t *testing.T) {
	t.Parallel()
	said := func(version string) []byte { return []byte("MZ #### LoaderInfo: systemd-boot " + version + " ####") }
	for _, c := range []struct {
		have, brings string
		replaced     bool
	}{
		{"252.39-1~deb12u1", "252.39-1~deb12u2", true},
		{"252.9", "252.39", true},
		{"252.39", "252.39", false},
		{"254.1", "252.39", false},
		{"252", "252.1", true},
		{"", "252", false},
		{"252", "", false},
	} {
		s, _ := installed(t, assets(t, "v1"), 1<<30)
		efi := s.EFI.(*folder)
		other := "EFI/systemd/systemd-bootx64.efi"
		efi.files[bootentry.Removable("amd64")], efi.files[other] = said(c.have), said(c.have)
		a := assetsWith(t, "v2", map[string]blob.Blob{bootassets.SDBoot: blob.Bytes(said(c.brings))})
		upgrade(t, s, a, Boot{})
		for _, name := range bootentry.Loaders("amd64") {
			if got := bytes.Equal(efi.files[name], said(c.brings)); got != (c.replaced || c.have == c.brings) {
				t.Errorf("%q with %q: %s is replaced: %v", c.have, c.brings, name, got)
			}
		}
		delete(efi.files, other)
		upgrade(t, s, assets(t, "v3"), Boot{})
		if efi.files[other] != nil {
			t.Error("a boot loader was put where none was")
		}
	}
}

// metaFile is a META partition in memory.
type metaFile []byte

func (m metaFile) ReadAt(p []byte, off int64) (int, error)  { return bytes.NewReader(m).ReadAt(p, off) }
func (m metaFile) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }
func (metaFile) Sync() error                                { return nil }

// TestNote: META says what to fall back to; of a damaged first copy the other one serves, and other values stay.
func TestNote(t *testing.T) {
	t.Parallel()
	s, old := installed(t, assets(t, "v1"), 1<<30)
	m := make(metaFile, meta.Size)
	if err := meta.Write(m, meta.Values{meta.UserReserved1: []byte("mine")}); err != nil {
		t.Fatal(err)
	}
	m[100]++
	s.Meta = m
	upgrade(t, s, assets(t, "v2"), Boot{})
	v, damaged, err := meta.Read(m)
	if err != nil || damaged != nil || string(v[meta.Upgrade]) != bootentry.Name(old) || string(v[meta.UserReserved1]) != "mine" {
		t.Errorf("%q, %v, %v", v, damaged, err)
	}
	s.Meta = make(metaFile, meta.Size)
	if r := upgrade(t, s, assets(t, "v3"), Boot{}); !r.Changed {
		t.Errorf("%+v", r)
	}
	if v, _, err := meta.Read(s.Meta); err != nil || string(v[meta.Upgrade]) != bootentry.Name(old) {
		t.Errorf("%q, %v", v, err)
	}
}

// TestGood: what was found good starts from then on, the one before is kept, and the one before that goes.
func TestGood(t *testing.T) {
	t.Parallel()
	s, first := installed(t, assets(t, "v9"), 1<<30)
	previous := first
	for _, version := range []string{"v2", "v3", "v1"} {
		a := assets(t, version)
		r := upgrade(t, s, a, Boot{})
		if r.Previous != previous {
			t.Errorf("%s: keeps %s, not %s", version, r.Previous, previous)
		}
		startUEFI(t, s.EFI.(*folder))
		if err := errors.Join(s.Tried(t.Context(), r.ID), s.Good(t.Context(), r.ID), s.Good(t.Context(), r.ID)); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if _, id := startUEFI(t, s.EFI.(*folder)); id != r.ID {
				t.Fatalf("%s: systemd-boot starts %s", version, id)
			}
			if _, _, id := startBIOS(t, s.Boot.(*folder), true); id != r.ID {
				t.Fatalf("%s: GRUB starts %s", version, id)
			}
		}
		if names := s.Boot.(*folder).has("boot"); len(names) != 3 {
			t.Errorf("BOOT has %v", names)
		}
		// The same system again changes nothing; another argument is another system.
		if again := upgrade(t, s, a, Boot{}); again.Changed {
			t.Errorf("%+v", again)
		}
		if id, _ := (Boot{ExtraKernelArgs: []string{"x"}}).Cmdline(&a.Description); a.ID(id) == r.ID {
			t.Error("another argument, and the same ID")
		}
		previous = r.ID
	}
}

// TestUpgradePowerCut cuts the power within every operation of an upgrade. What starts is whole and is the old system or the new one, and the same
// upgrade once more ends with the new one.
func TestUpgradePowerCut(t *testing.T) {
	t.Parallel()
	old, a := assets(t, "v1"), assets(t, "v2")
	from, oldID := installed(t, old, 1<<30)
	upgrade(t, from, assets(t, "v0"), Boot{}) // which was never good, and is to be replaced
	for range 3 {
		startUEFI(t, from.EFI.(*folder))
		startBIOS(t, from.Boot.(*folder), true)
	}
	newUKI, err := a.UKI(line(t, a))
	tight(t, from, a)
	uki := map[string][]byte{upgradeID(t, a): content(t, newUKI, err)}
	oldUKI, err := old.UKI(line(t, old))
	uki[oldID] = content(t, oldUKI, err)
	cuts, states := 0, map[string]int{}
	for n := 0; ; n++ {
		done := true
		for _, torn := range []bool{false, true} {
			for _, which := range []string{layout.EFI, layout.Boot} {
				left := map[string]int{layout.EFI: -1, layout.Boot: -1}
				left[which] = n
				efi, boot := from.EFI.(*folder).clone(left[layout.EFI], torn), from.Boot.(*folder).clone(left[layout.Boot], torn)
				s := System{EFI: efi, Boot: boot}
				_, err := s.Upgrade(t.Context(), a, Boot{}, "")
				if err != nil && !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				if err == nil {
					continue
				}
				done = false
				cuts++
				efi.left, boot.left = -1, -1
				got, id := startUEFI(t, efi.clone(-1, false))
				if uki[id] == nil || !bytes.Equal(got, uki[id]) {
					t.Fatalf("operation %d on %s, torn %v: systemd-boot starts %q, which is damaged", n, which, torn, id)
				}
				states[id]++
				kernel, initramfs, id := startBIOS(t, boot, true)
				of := map[string]*bootassets.Assets{oldID: old, upgradeID(t, a): a}[id]
				if of == nil || !bytes.Equal(kernel, content(t, of.File(bootassets.Kernel), nil)) || !bytes.Equal(initramfs, content(t, of.Initramfs(), nil)) {
					t.Fatalf("operation %d on %s, torn %v: GRUB starts %q, which is damaged", n, which, torn, id)
				}
				r := upgrade(t, s, a, Boot{})
				if got, id := startUEFI(t, efi); id != r.ID || !bytes.Equal(got, uki[id]) {
					t.Fatalf("operation %d on %s, torn %v: once more, and %s starts", n, which, torn, id)
				}
				if _, _, id := startBIOS(t, boot, true); id != r.ID {
					t.Fatalf("operation %d on %s, torn %v: once more, and GRUB starts %s", n, which, torn, id)
				}
			}
		}
		if done {
			break
		}
	}
	if cuts < 20 || len(states) != 2 {
		t.Errorf("%d cuts, %v", cuts, states)
	}
	t.Logf("%d cuts, %v", cuts, states)
}

// tight leaves room for a beside the system to keep, and for no more.
func tight(t *testing.T, s System, a *bootassets.Assets) {
	t.Helper()
	efi, boot := s.EFI.(*folder), s.Boot.(*folder)
	both := System{EFI: efi.clone(-1, false), Boot: boot.clone(-1, false)}
	upgrade(t, both, a, Boot{})
	const menus = 4 << 10 // that are being written
	efi.room, boot.room = both.EFI.(*folder).used()+slack+menus, both.Boot.(*folder).used()+slack+menus
}

// TestGoodPowerCut cuts the power when a new system becomes good, which may leave it two names. It stays whole, also as what the next upgrade
// falls back to.
func TestGoodPowerCut(t *testing.T) {
	t.Parallel()
	a, next := assets(t, "v2"), assets(t, "v3")
	uki, err := a.UKI(line(t, a))
	want := content(t, uki, err)
	for _, torn := range []bool{false, true} {
		s, _ := installed(t, assets(t, "v1"), 1<<30)
		r := upgrade(t, s, a, Boot{})
		efi := s.EFI.(*folder)
		efi.left, efi.torn = 0, torn
		if err := s.Good(t.Context(), r.ID); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		efi.left = -1
		if err := s.Good(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		upgrade(t, s, next, Boot{})
		if got := efi.files[bootentry.UKI(r.ID)]; !bytes.Equal(got, want) {
			t.Errorf("torn %v: the system to fall back to has %d bytes", torn, len(got))
		}
	}
}

func upgradeID(t testing.TB, a *bootassets.Assets) string {
	t.Helper()
	return a.ID(line(t, a))
}

// line is the kernel command line of a where a machine adds nothing.
func line(t testing.TB, a *bootassets.Assets) string {
	t.Helper()
	line, err := Boot{}.Cmdline(&a.Description)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// TestNoRoom: an upgrade that does not fit removes nothing.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	s, _ := installed(t, assets(t, "v1"), 1<<20)
	efi, boot := s.EFI.(*folder), s.Boot.(*folder)
	efi.room, boot.room = efi.used()+1000, 1<<30
	before := maps.Clone(efi.files)
	_, err := s.Upgrade(context.Background(), assets(t, "v2"), Boot{}, "")
	if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "no room for the new system") || report.HintOf(err) == "" {
		t.Error(err)
	}
	if !maps.EqualFunc(before, efi.files, bytes.Equal) {
		t.Error("something changed")
	}
}

// TestDir runs an upgrade in a folder of the machine.
func TestDir(t *testing.T) {
	t.Parallel()
	from, _ := installed(t, assets(t, "v1"), 1<<30)
	dir := Dir(t.TempDir())
	for name, p := range from.EFI.(*folder).files {
		if err := dir.Write(t.Context(), name, blob.Bytes(p)); err != nil {
			t.Fatal(err)
		}
	}
	s := System{EFI: dir}
	r := upgrade(t, s, assets(t, "v2"), Boot{})
	if err := s.Good(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	files, err := dir.List(bootentry.Linux)
	if err != nil || len(files) != 2 || !slices.ContainsFunc(files, func(f File) bool { return path.Join(bootentry.Linux, f.Name) == bootentry.UKI(r.ID) }) {
		t.Errorf("%v, %v", files, err)
	}
}

// TestCopiesOfOthers: a menu that somebody has written, without an initrd, has no configuration beside it.
func TestCopiesOfOthers(t *testing.T) {
	t.Parallel()
	boot := newFolder(1 << 20)
	boot.files[bootentry.GRUBConfig] = []byte("menuentry 'mine' {\n  linux /boot/0123456789ab/vmlinuz quiet\n}\n")
	found, err := System{Boot: boot}.Copies()
	if !found.None() {
		t.Errorf("%+v, %v", found, err)
	}
}
