package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootwright/bootwright/cmd/wrightctl/kmscmd"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// home and elsewhere are UUIDs of machines.
const (
	home      = "9a3b1f5c-72d4-4e86-b0c9-5d8e12f7a643"
	elsewhere = "1c8d5e2f-a907-4b36-8f4a-e37b60d9c251"
)

// vault is a machine with a disk on which nothing but META is made, and a network card. What it boots and what configuration
// comes with that is another thing at each boot.
type vault struct {
	t    *testing.T
	disk string
	uuid string
	args []string
}

func newVault(t *testing.T) *vault {
	t.Helper()
	values, err := meta.Encode(meta.Values{meta.UserReserved1: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	image, err := gpt.Format([]gpt.Partition{{Name: layout.Meta, Type: gpt.LinuxFilesystem(), Size: layout.MetaSize, Content: blob.Bytes(values)}}, gpt.Options{Size: 3 << 30})
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{t: t, disk: filepath.Join(t.TempDir(), "disk"), uuid: home, args: []string{"-cpu", "max"}} // which has instructions for AES
	if err := blob.WriteFile(t.Context(), v.disk, image, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return v
}

// encrypted is a machine configuration with the keys of STATE and EPHEMERAL, each a list in YAML, and more of what is in machine.
func encrypted(state, ephemeral, more string) string {
	const section = "  systemDiskEncryption:\n    state: {provider: luks2, keys: [%s]}\n    ephemeral: {provider: luks2, keys: [%s]}\n"
	return strings.Replace(configareatest.Worker("kept"), "machine:\n", "machine:\n"+fmt.Sprintf(section, state, ephemeral)+more, 1)
}

// boot boots the machine and returns its last report before until, or when it is ready where that is "".
func (v *vault) boot(o vm.Options, until string, args ...string) (r *bootreport.Report, console string) {
	v.t.Helper()
	o.Image, o.As, o.Writable, o.Timeout = v.disk, vm.Disk, true, 8*time.Minute // keys are made to take long
	o.ExtraArgs = append(append(append(nic("n0"), "-uuid", v.uuid), v.args...), args...)
	if until != "" {
		o.Until = regexp.MustCompile(until)
	}
	console = vmtest.Boot(v.t, o)
	r, err := bootreport.Find([]byte(console + "\n")) // what until matches may have no end yet
	if err != nil {
		v.t.Fatalf("%v\n%s", err, console)
	}
	if len(r.Errors) > 0 {
		v.t.Errorf("%+v\n%s", r.Errors, console)
	}
	return r, console
}

// systemFiles are a kernel and an initramfs that are booted without a boot loader.
type systemFiles struct{ kernel, initramfs string }

func newSystemFiles(t *testing.T) systemFiles {
	return systemFiles{built(t, "kernel", "amd64"), built(t, "initramfs", "amd64")}
}

// with boots with a configuration; "" is none.
func (d systemFiles) with(t *testing.T, config string) vm.Options {
	t.Helper()
	files := &tree.Tree{}
	if config != "" {
		area, err := configarea.Encode([]configarea.Entry{{Match: configarea.Default, Config: []byte(config)}}, configarea.Unit)
		if err != nil {
			t.Fatal(err)
		}
		if err := files.Add(tree.Node{Path: configarea.Path, Mode: 0o400, Content: blob.Bytes(area)}); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "initrd")
	vmtest.AddFiles(t, d.initramfs, files, file)
	return vm.Options{Kernel: d.kernel, Initrd: file, Append: "console=ttyS0 talos.platform=metal"}
}

// keysOf are how the keys of a volume are, as "STATE: open by 0, 0 nodeID works, …".
func keysOf(r *bootreport.Report, volume string) string {
	for _, e := range r.Encryption {
		if e.Volume != volume {
			continue
		}
		text := e.State
		if e.Slot != nil {
			text += fmt.Sprint(" by ", *e.Slot)
		}
		for _, k := range e.Keys {
			text += fmt.Sprint(", ", k.Slot, " ", k.Kind, " ", k.State)
		}
		for i, slots := range [][]int{e.Foreign, e.Stale, e.Removed} {
			if slots != nil {
				text += fmt.Sprint([]string{" foreign", " stale", " removed"}[i], slots)
			}
		}
		if e.Formatted {
			text += ", formatted"
		}
		return text
	}
	return "not there"
}

// want checks how the keys of volumes are; those of EPHEMERAL may be one of several things, with " or " between.
func (v *vault) want(r *bootreport.Report, console string, state, ephemeral string) {
	v.t.Helper()
	if s, e := keysOf(r, layout.State), keysOf(r, layout.Ephemeral); s != state || !slices.Contains(strings.Split(ephemeral, " or "), e) {
		v.t.Fatalf("STATE %s\n want %s\nEPHEMERAL %s\n want %s\n%s", s, state, e, ephemeral, console)
	}
}

// partition copies a partition of the disk into a file of its own, or with back the file into the partition.
func (v *vault) partition(label string, back bool, file string) string {
	v.t.Helper()
	disk, err := os.OpenFile(v.disk, os.O_RDWR, 0)
	if err != nil {
		v.t.Fatal(err)
	}
	defer disk.Close()
	info, err := disk.Stat()
	if err != nil {
		v.t.Fatal(err)
	}
	table, err := gpt.Read(io.NewSectionReader(disk, 0, info.Size()))
	if err != nil {
		v.t.Fatal(err)
	}
	const header = 32 << 20 // what programs that do not open it look at
	for _, p := range table.Partitions {
		if p.Name != label {
			continue
		}
		if back {
			content, err := os.ReadFile(file)
			if err == nil {
				_, err = disk.WriteAt(content, p.Start)
			}
			if err != nil {
				v.t.Fatal(err)
			}
			return file
		}
		file = filepath.Join(v.t.TempDir(), label)
		if err := blob.WriteFile(v.t.Context(), file, io.NewSectionReader(p.Content, 0, header), blob.WriteOptions{}); err != nil {
			v.t.Fatal(err)
		}
		return file
	}
	v.t.Fatalf("there is no partition %s", label)
	return ""
}

// slots are the key slots and the UUID that cryptsetup sees in a volume, and that package luks2 does.
func (v *vault) slots(label string) (slots, uuid string) {
	v.t.Helper()
	file := v.partition(label, false, "")
	dump := oracle.Run(v.t, "cryptsetup", "luksDump", file)
	slots, uuid = slotsOf(dump)
	f, err := blob.OpenFile(file)
	if err != nil {
		v.t.Fatal(err)
	}
	defer f.Close()
	h, damaged, err := luks2.Read(f)
	if err != nil || damaged.Damaged() || h.UUID != uuid || len(h.Keyslots) != len(strings.Fields(slots)) {
		v.t.Errorf("%+v, %+v, %v; cryptsetup says\n%s", h, damaged, err, dump)
	}
	return slots, uuid
}

// slotsOf reads cryptsetup luksDump.
func slotsOf(dump string) (slots, uuid string) {
	_, list, _ := strings.Cut(dump, "Keyslots:")
	list, _, _ = strings.Cut(list, "Tokens:")
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^  (\d+): luks2`).FindAllStringSubmatch(list, -1) {
		all = append(all, m[1])
	}
	if m := regexp.MustCompile(`UUID:\s+(\S+)`).FindStringSubmatch(dump); m != nil {
		uuid = m[1]
	}
	return strings.Join(all, " "), uuid
}

// TestBootKeysOfMachine goes with a nodeID key of STATE and static ones of EPHEMERAL through five boots: made; opened; in another
// machine, where STATE stays shut and EPHEMERAL gets a new key beside the old and that of somebody else; the old one goes;
// and at home again the foreign one.
func TestBootKeysOfMachine(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	v, d := newVault(t), newSystemFiles(t)
	const nodeID, old, added = "{slot: 0, nodeID: {}}", "{slot: 0, static: {passphrase: oldkey}}", "{slot: 1, static: {passphrase: newkey}}"
	mark := func(op string) string {
		return fmt.Sprintf("  files: [{path: /var/lib/mark, permissions: 0o600, op: %s, content: data}]\n", op)
	}
	r, console := v.boot(d.with(t, encrypted(nodeID, old, mark("create"))), "")
	v.want(r, console, "open by 0, 0 nodeID works, formatted", "open by 0, 0 static works, formatted")
	_, uuid := v.slots(layout.State)
	_, ephemeral := v.slots(layout.Ephemeral)

	r, console = v.boot(d.with(t, ""), "")
	v.want(r, console, "open by 0, 0 nodeID works", "open by 0, 0 static works")
	if r.Config.Source != bootreport.SourceState || r.Hostname != "kept" {
		t.Errorf("configuration %+v, host name %s", r.Config, r.Hostname)
	}

	// A key of somebody else, and another machine.
	foreign := v.partition(layout.Ephemeral, false, "")
	keys := filepath.Join(t.TempDir(), "key")
	for name, key := range map[string]string{keys: "oldkey", keys + "2": "somebody's"} {
		if err := os.WriteFile(name, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	oracle.Run(t, "cryptsetup", "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-slot", "9", "--key-file", keys, foreign, keys+"2")
	v.partition(layout.Ephemeral, true, foreign)
	v.uuid = elsewhere
	before := v.content(layout.State)
	r, console = v.boot(d.with(t, encrypted(nodeID, old+", "+added, mark("overwrite"))), "")
	v.want(r, console, "locked, 0 nodeID failed", "open by 0, 0 static works, 1 static added foreign[9]")
	if reason := r.Encryption[0].Error + r.Encryption[1].Error; !strings.Contains(reason, "slot 0 (nodeID): the key does not open the slot") {
		t.Errorf("nobody says why: %+v", r.Encryption)
	}
	if len(r.Files) != 1 || r.Files[0].State != bootreport.Applied {
		t.Errorf("what was written at the first boot is not there at the third: %+v", r.Files)
	}
	for _, d := range r.Discovered { // this is a second guest that sees what cryptsetup sees in STATE
		if d.PartitionLabel == layout.State && (d.Discovered != "luks" || d.UUID != uuid || d.Label != layout.State) {
			t.Errorf("the guest sees %+v, and cryptsetup %s", d, uuid)
		}
	}
	if !reflect.DeepEqual(before, v.content(layout.State)) {
		t.Error("STATE was changed in another machine")
	}
	if slots, id := v.slots(layout.Ephemeral); slots != "0 1 9" || id != ephemeral {
		t.Errorf("slots %s of %s", slots, id)
	}
	r, console = v.boot(d.with(t, encrypted(nodeID, added, "")), "")
	v.want(r, console, "locked, 0 nodeID failed", "open by 1, 1 static works foreign[9] removed[0]")
	if slots, _ := v.slots(layout.Ephemeral); slots != "1 9" {
		t.Errorf("slots %s", slots)
	}

	// At home the configuration is that of STATE, whose list is older than what is in the slots: it opens nothing, and does no harm.
	v.uuid = home
	wiped := d.with(t, strings.Replace(encrypted(nodeID+", {slot: 31, static: {passphrase: second}}", added, ""), "ephemeral: {", "ephemeral: {wipeForeignKeys: true, ", 1))
	wiped.Append += " talos.experimental.wipe=system:STATE"
	r, console = v.boot(wiped, "")
	v.want(r, console, "open by 0, 0 nodeID works, 31 static works, formatted", "open by 1, 1 static works removed[9]")
	if slots, id := v.slots(layout.Ephemeral); slots != "1" || id != ephemeral {
		t.Errorf("slots %s of %s", slots, id)
	}
	if slots, again := v.slots(layout.State); again == uuid || slots != "0 31" {
		t.Errorf("STATE was not made anew: slots %s", slots)
	}
}

// content is what a partition begins with.
func (v *vault) content(label string) []byte {
	v.t.Helper()
	p, err := os.ReadFile(v.partition(label, false, ""))
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// keyService is wrightctl kms serve on a port of this host, with a certificate for it that an authority has signed.
type keyService struct {
	dir, address string
	authority    string // PEM
	requests     atomic.Int64
}

func newKeyService(t *testing.T) *keyService {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &keyService{dir: t.TempDir(), address: l.Addr().String()}
	l.Close()
	ca := authoritytest.New(t)
	s.authority = string(ca.PEM)
	crt, key := ca.Issue(t, time.Now().Add(24*time.Hour), "10.0.2.2")
	err1 := os.WriteFile(filepath.Join(s.dir, "kms.crt"), crt, 0o600)
	err2 := os.WriteFile(filepath.Join(s.dir, "kms.key"), key, 0o600)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	s.command(t.Context(), t, "key", filepath.Join(s.dir, "seal.key"))
	return s
}

// command runs wrightctl kms with args, until ctx ends.
func (s *keyService) command(ctx context.Context, t *testing.T, args ...string) {
	quiet := false
	cmd := kmscmd.New(kmscmd.App{
		Stderr: countLines{&s.requests}, Quiet: &quiet,
		Read: func(_ context.Context, path string) ([]byte, error) { return os.ReadFile(path) },
		WriteSecret: func(_ context.Context, _ bool, path string, data []byte) error {
			return os.WriteFile(path, data, 0o600)
		},
	})
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Error(err)
	}
}

// countLines counts what is written.
type countLines struct{ n *atomic.Int64 }

func (c countLines) Write(p []byte) (int, error) {
	c.n.Add(1)
	return len(p), nil
}

// serve answers until the returned function is called.
func (s *keyService) serve(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.command(ctx, t, "serve", "--key", filepath.Join(s.dir, "seal.key"), "--listen", s.address,
			"--tls-crt", filepath.Join(s.dir, "kms.crt"), "--tls-key", filepath.Join(s.dir, "kms.key"))
	}()
	return func() { cancel(); <-ended }
}

// key is a key of the service in a slot, and roots the document that says that machines trust it.
func (s *keyService) key(slot int) string {
	_, port, _ := net.SplitHostPort(s.address)
	return fmt.Sprintf("{slot: %d, kms: {endpoint: 'https://10.0.2.2:%s'}}", slot, port)
}

func (s *keyService) roots() string {
	return "---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: keys\ncertificates: |\n    " + strings.ReplaceAll(strings.TrimSpace(s.authority), "\n", "\n    ") + "\n"
}

// whenSaid calls do once a console says a text.
type whenSaid struct {
	text, seen string
	do         func()
}

func (w *whenSaid) Write(p []byte) (int, error) {
	if w.do == nil {
		return len(p), nil
	}
	if w.seen += string(p); strings.Contains(w.seen, w.text) {
		w.do()
		w.do = nil
	}
	return len(p), nil
}

// TestBootKMS encrypts both volumes with keys of a service in the network alone, whose certificate only the configuration trusts. At
// the second boot, which brings no configuration, the service is away for a minute; that of STATE is used when it opens.
func TestBootKMS(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	v, d, s := newVault(t), newSystemFiles(t), newKeyService(t)
	stop := s.serve(t)
	r, console := v.boot(d.with(t, encrypted(s.key(0), s.key(5), "")+s.roots()), "")
	stop()
	v.want(r, console, "open by 0, 0 kms works, formatted", "open by 5, 5 kms works, formatted")
	if slots, _ := v.slots(layout.State); slots != "0" {
		t.Errorf("slots %s", slots)
	}
	o := d.with(t, "")
	o.Serial = &whenSaid{text: "volume STATE: no configured key opens STATE", do: func() {
		time.AfterFunc(time.Minute, func() { t.Cleanup(s.serve(t)) })
	}}
	r, console = v.boot(o, `"volume":"EPHEMERAL","source":"/dev/mapper/.*"readyMs":\d+\}`)
	v.want(r, console, "open by 0, 0 kms works", "open by 5, 5 kms works")
	if r.Config.Source != bootreport.SourceState || r.Hostname != "kept" || len(r.Mounts) != 2 {
		t.Errorf("configuration %+v, host name %s, mounts %+v\n%s", r.Config, r.Hostname, r.Mounts, console)
	}
}
