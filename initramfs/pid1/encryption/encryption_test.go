package encryption

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/linux"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/kms"
)

const (
	uuid  = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	label = "STATE"
)

// machine is a machine whose disk is a file and whose cryptsetup is the real one, but for what needs the device mapper:
// opening tries the key only. Power fails after so many operations that change something.
type machine struct {
	linux.Machine
	t       *testing.T
	program string
	disk    string // the file
	kms     *kmsService
	uuid    string

	mu      sync.Mutex
	mapped  string
	ops     int // done since the boot
	tests   int // of keys
	derived int // keys, and told of
	told    int
	power   int // fails after that many; -1 never
	unsaved []change
	lose    *rand.Rand // which unsaved writes are lost with the power; nil loses none
	log     []string
}

// change is a write that was not flushed.
type change struct {
	off    int64
	before []byte
}

var errPower = errors.New("power failure")

// host is one for all tests: it collects the processes of this one that end, and would take those of another for orphans.
var host = linux.New()

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{Machine: host, t: t, program: oracle.Need(t, "cryptsetup"), kms: newKMS(t), uuid: uuid, power: -1}
	m.disk = filepath.Join(memory(t), "vda5")
	if err := errors.Join(os.WriteFile(m.disk, nil, 0o600), os.Truncate(m.disk, 18<<20)); err != nil {
		t.Fatal(err)
	}
	return m
}

// memory is a new folder, in memory where the system has such a place.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "luks")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// step is a change to the machine; it fails when the power does.
func (m *machine) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.power >= 0 && m.ops >= m.power {
		return errPower
	}
	m.ops++
	return nil
}

// boot is a new boot of the machine.
func (m *machine) boot(power int) *Opener {
	m.ops, m.power, m.mapped, m.log = 0, power, "", nil
	return New(Deps{
		M: m, Log: m, Program: m.program, Slow: func(run func() error) error {
			m.told++
			return run()
		}, Scratch: filepath.Join(filepath.Dir(m.disk), "run"),
		Keys: func() keys.Machine { return keys.Machine{UUID: m.uuid, Passphrase: luks.Cheap(), Dial: m.kms.dial} },
	})
}

func (m *machine) Infof(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}
func (m *machine) Warnf(format string, args ...any) { m.Infof(format, args...) }

// Start follows kernel.Processes.
func (m *machine) Start(c kernel.Command) (kernel.Process, error) {
	isTest := slices.Contains(c.Args, "--test-passphrase")
	m.derived += derivations(c.Args)
	switch what := c.Args[0]; {
	case what == "status" && m.mapped == "":
		c.Path, c.Args = "/bin/sh", []string{"-c", "exit 4"}
		return m.Machine.Start(c)
	case what == "status":
		c.Path, c.Args = "/bin/echo", []string{"  device:  " + m.mapped}
		return m.Machine.Start(c)
	case what == "close":
		m.mapped = ""
		c.Path, c.Args = "/bin/true", nil
		return m.Machine.Start(c)
	case what == "open" && !isTest:
		c.Args = append([]string{"open", "--test-passphrase"}, slices.DeleteFunc(c.Args[1:len(c.Args)-1], func(s string) bool { return strings.HasPrefix(s, "--perf-") })...)
		m.mapped = m.disk
	case isTest:
		m.tests++
	case what == "luksDump":
	default:
		if err := m.step(); err != nil {
			return nil, err
		}
	}
	return m.Machine.Start(c)
}

// derivations are how many keys a command derives from passphrases.
func derivations(args []string) (n int) {
	byVolumeKey := slices.Contains(args, "--volume-key-file")
	switch args[0] {
	case "luksFormat":
		return 1
	case "luksAddKey":
		n = 1
		fallthrough
	case "open":
		if !byVolumeKey {
			n++
		}
	}
	return n
}

// TestDerivations: a new key is derived when it is put into its slot and when that is tried; later, one opens the volume and the
// others are tried.
func TestDerivations(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	c := encryption(t, "0 nodeID", "2 static a")
	for i, want := range []int{4, 2} {
		m.derived, m.told = 0, 0
		if m.open(c); m.derived != want || m.told < want {
			t.Errorf("boot %d: %d keys were derived, and %d steps told of; want %d", i+1, m.derived, m.told, want)
		}
	}
	left, err := os.ReadDir(filepath.Join(filepath.Dir(m.disk), "run"))
	if err != nil || len(left) > 0 {
		t.Errorf("the volume's key, or its header, is still in memory: %v, %v", left, err)
	}
}

// OpenDisk follows kernel.Disks.
func (m *machine) OpenDisk(_ context.Context, path string, _ kernel.Access) (kernel.Disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return &disk{File: f, m: m, size: info.Size()}, err
}

// disk is the machine's disk.
type disk struct {
	kernel.Disk // what is not used here
	*os.File
	m    *machine
	size int64
}

func (d *disk) Size() int64                             { return d.size }
func (d *disk) Geometry() kernel.Geometry               { return kernel.Geometry{SectorSize: 512} }
func (d *disk) ReadAt(p []byte, off int64) (int, error) { return d.File.ReadAt(p, off) }
func (d *disk) Close() error                            { return d.File.Close() }

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	if err := d.m.step(); err != nil {
		return 0, err
	}
	for i := 0; i < len(p); i += 4096 { // what reaches the disk at once
		before := make([]byte, min(4096, len(p)-i))
		if _, err := d.File.ReadAt(before, off+int64(i)); err != nil {
			return 0, err
		}
		d.m.unsaved = append(d.m.unsaved, change{off + int64(i), before})
	}
	return d.File.WriteAt(p, off)
}

func (d *disk) Sync() error {
	if err := d.m.step(); err != nil {
		return err
	}
	d.m.unsaved = nil
	return nil
}

// crash loses a part of what was not flushed.
func (m *machine) crash() {
	f, err := os.OpenFile(m.disk, os.O_RDWR, 0)
	for _, c := range slices.Backward(m.unsaved) {
		if err == nil && m.lose != nil && m.lose.IntN(2) == 0 {
			_, err = f.WriteAt(c.before, c.off)
		}
	}
	m.unsaved = nil
	if err = errors.Join(err, f.Close()); err != nil {
		m.t.Fatal(err)
	}
}

// run runs cryptsetup by hand.
func (m *machine) run(stdin string, args ...string) error {
	_, err := kernel.Output(m.t.Context(), m.Machine, kernel.Command{Path: m.program, Args: args, Stdin: strings.NewReader(stdin)})
	return err
}

func (m *machine) must(stdin string, args ...string) {
	m.t.Helper()
	if err := m.run(stdin, args...); err != nil {
		m.t.Fatal(err)
	}
}

// addForeign puts a key of somebody else into a slot; by opens the volume.
func (m *machine) addForeign(by, key, slot string) {
	m.t.Helper()
	m.must(by+key, "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-slot", slot,
		"--key-file", "-", "--keyfile-size", fmt.Sprint(len(by)), "--new-keyfile-size", fmt.Sprint(len(key)), m.disk, "-")
}

// opens reports whether a passphrase opens a slot.
func (m *machine) opens(passphrase, slot string) bool {
	return m.run(passphrase, "open", "--test-passphrase", "--key-slot", slot, "--key-file", "-", m.disk) == nil
}

func (m *machine) header() *luks2.Header {
	m.t.Helper()
	p, err := os.ReadFile(m.disk)
	if err != nil {
		m.t.Fatal(err)
	}
	h, damaged, err := luks2.Read(blob.Bytes(p))
	if err != nil || damaged.Damaged() {
		m.t.Fatalf("%+v, %v", damaged, err)
	}
	return h
}

// slots are the used slots, and those that have a token.
func (m *machine) slots() (slots, tokens []int) {
	h := m.header()
	for i := range luks2.Slots {
		if _, ok := h.Keyslots[i]; ok {
			slots = append(slots, i)
		}
		if _, ok := h.Tokens[i]; ok {
			tokens = append(tokens, i)
		}
	}
	return slots, tokens
}

func (m *machine) write(p []byte, off int64) {
	f, err := os.OpenFile(m.disk, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(p, off)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		m.t.Fatal(err)
	}
}

// kmsService is a service that can be away.
type kmsService struct {
	address string
	away    bool
}

func newKMS(t *testing.T) *kmsService {
	t.Helper()
	sealer, err := kms.NewSealer(kms.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(&kms.Server{Seal: sealer.Seal, Unseal: sealer.Unseal})
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return &kmsService{address: s.Listener.Addr().String()}
}

func (s *kmsService) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if s.away {
		return nil, errors.New("no route to the service")
	}
	return (&net.Dialer{}).DialContext(ctx, network, s.address)
}

// encryption is a configuration with these keys, each as "SLOT KIND [PASSPHRASE]".
func encryption(t *testing.T, list ...string) *v1alpha1.Encryption {
	t.Helper()
	c := &v1alpha1.Encryption{Provider: "luks2"}
	for _, item := range list {
		var k v1alpha1.EncryptionKey
		var kind, passphrase string
		if n, _ := fmt.Sscan(item, &k.Slot, &kind, &passphrase); n < 2 {
			t.Fatalf("key %q", item)
		}
		switch kind {
		case keys.Static:
			k.Static = &v1alpha1.StaticKey{Passphrase: passphrase}
		case keys.NodeID:
			k.NodeID = &struct{}{}
		case keys.KMS:
			k.KMS = &v1alpha1.KMSKey{Endpoint: "grpc://kms:4050"}
		}
		c.Keys = append(c.Keys, k)
	}
	return c
}

// states are the keys of a status as "SLOT STATE".
func states(s bootreport.EncryptedVolume) string {
	var all []string
	for _, k := range s.Keys {
		all = append(all, fmt.Sprint(k.Slot, " ", k.State))
	}
	return strings.Join(all, ", ")
}

// request is to open the machine's volume.
func (m *machine) request(c *v1alpha1.Encryption) Request {
	return Request{Device: m.disk, Label: label, Config: c}
}

// open opens the machine's volume in a boot without power failures, which must work.
func (m *machine) open(c *v1alpha1.Encryption) bootreport.EncryptedVolume {
	m.t.Helper()
	r, err := m.boot(-1).Open(m.t.Context(), m.request(c))
	if err != nil || r.Mapped != "/dev/mapper/luks2-STATE" || r.Status.State != "open" || m.mapped != m.disk {
		m.t.Fatalf("%+v, %v", r, err)
	}
	return r.Status
}

// TestRotation goes through the life of a volume's keys.
func TestRotation(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := m.open(encryption(t, "1 kms", "0 nodeID", "4 static old"))
	if !s.Formatted || states(s) != "0 works, 1 works, 4 works" {
		t.Fatalf("format: %+v", s)
	}
	id := m.header().UUID
	if m.header().Label != label || !m.opens(uuid+label, "0") || !m.opens("old", "4") {
		t.Error("cryptsetup cannot open what was made")
	}
	if slots, tokens := m.slots(); !reflect.DeepEqual(slots, []int{0, 1, 4}) || !reflect.DeepEqual(tokens, slots) {
		t.Errorf("slots %v, tokens %v", slots, tokens)
	}
	var token struct {
		Type     string
		Keyslots []string
		UserData struct{ SealedData []byte }
	}
	if err := json.Unmarshal(m.header().Tokens[1].JSON, &token); err != nil || token.Type != "sideroKMS" || token.Keyslots == nil || len(token.UserData.SealedData) != 12+32+16 {
		t.Errorf("token %s, %v", m.header().Tokens[1].JSON, err)
	}

	if s = m.open(encryption(t, "0 nodeID", "1 kms", "4 static old")); s.Formatted || states(s) != "0 works, 1 works, 4 works" || m.ops != 0 || *s.Slot != 0 {
		t.Errorf("the second boot changed something: %+v, %d operations", s, m.ops)
	}
	m.addForeign("old", "mine", "9")
	m.must(`{"type":"mine","keyslots":["9"]}`, "token", "import", "--token-id", "20", m.disk)
	for _, tt := range []struct {
		name     string
		keys     []string
		wipe     bool
		states   string
		slot     int
		removed  []int
		foreign  []int
		passes   map[string]string // slot: passphrase
		unused   []string
		slots    []int
		operated int
	}{
		{name: "first step", keys: []string{"0 nodeID", "1 kms", "4 static old", "5 static new"}, states: "0 works, 1 works, 4 works, 5 added",
			foreign: []int{9}, passes: map[string]string{"4": "old", "5": "new", "9": "mine"}, slots: []int{0, 1, 4, 5, 9}, operated: 2},
		{name: "second step", keys: []string{"0 nodeID", "1 kms", "5 static new"}, states: "0 works, 1 works, 5 works",
			removed: []int{4}, foreign: []int{9}, passes: map[string]string{"5": "new", "9": "mine"}, slots: []int{0, 1, 5, 9}, operated: 2},
		{name: "another passphrase in its slot", keys: []string{"0 nodeID", "1 kms", "5 static newer"}, states: "0 works, 1 works, 5 replaced",
			foreign: []int{9}, passes: map[string]string{"5": "newer"}, slots: []int{0, 1, 5, 9}, operated: 3},
		{name: "another kind in its slot", keys: []string{"0 kms", "1 kms", "5 static newer"}, slot: 1, states: "0 replaced, 1 works, 5 works",
			foreign: []int{9}, passes: map[string]string{"5": "newer"}, slots: []int{0, 1, 5, 9}, operated: 3},
		{name: "and back", keys: []string{"0 nodeID", "1 static x", "5 static newer"}, slot: 5, states: "0 replaced, 1 replaced, 5 works",
			foreign: []int{9}, passes: map[string]string{"0": uuid + label, "1": "x"}, slots: []int{0, 1, 5, 9}, operated: 6},
		{name: "foreign keys are wiped", keys: []string{"0 nodeID", "5 static newer"}, wipe: true, states: "0 works, 5 works",
			removed: []int{1, 9}, slots: []int{0, 5}, operated: 3},
	} {
		c := encryption(t, tt.keys...)
		c.WipeForeignKeys = tt.wipe
		s = m.open(c)
		slots, _ := m.slots()
		if states(s) != tt.states || !reflect.DeepEqual(s.Removed, tt.removed) || !reflect.DeepEqual(s.Foreign, tt.foreign) || !reflect.DeepEqual(slots, tt.slots) ||
			*s.Slot != tt.slot || m.ops != tt.operated || s.Stale != nil {
			t.Errorf("%s: %+v, slots %v, %d operations", tt.name, s, slots, m.ops)
		}
		for slot, passphrase := range tt.passes {
			if !m.opens(passphrase, slot) {
				t.Errorf("%s: %q does not open slot %s", tt.name, passphrase, slot)
			}
		}
	}
	if _, tokens := m.slots(); !reflect.DeepEqual(tokens, []int{0, 5, 20}) || m.header().UUID != id {
		t.Errorf("tokens %v, UUID %s", tokens, m.header().UUID)
	}
}

// TestLocked is about what happens when keys fail, and that nothing is changed then.
func TestLocked(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	c := encryption(t, "0 nodeID", "1 kms")
	m.open(c)
	before, err := os.ReadFile(m.disk)
	if err != nil {
		t.Fatal(err)
	}
	locked := func(c *v1alpha1.Encryption, kind report.Kind, wantStates string, want ...string) {
		t.Helper()
		r, err := m.boot(-1).Open(t.Context(), m.request(c))
		if s := r.Status; r.Mapped != "" || s.State != "locked" || report.KindOf(err) != kind || states(s) != wantStates || s.Error != err.Error() || r.Again != (kind == report.Unavailable) {
			t.Fatalf("%+v, %v of kind %v", r, err, report.KindOf(err))
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%v; want %q", err, w)
			}
		}
		if after, err := os.ReadFile(m.disk); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the disk was changed: %v", err)
		}
	}
	m.uuid = "11111111-9dad-11d1-80b4-00c04fd430c8"
	locked(encryption(t, "0 nodeID"), report.Invalid, "0 failed", "no configured key opens STATE", "slot 0 (nodeID): the key does not open the slot")
	m.kms.away = true
	locked(c, report.Unavailable, "0 failed, 1 unknown", "slot 0 (nodeID): the key does not open the slot", "slot 1 (kms): ", "no route to the service")
	m.kms.away = false
	locked(c, report.Unavailable, "0 failed, 1 unknown", "not sealed here for this machine")
	locked(encryption(t, "0 kms", "3 static x"), report.Invalid, "0 failed, 3 failed", "no token of type sideroKMS", "slot 3 (static): the slot is empty")
	m.uuid = ""
	locked(encryption(t, "0 nodeID"), report.Invalid, "0 failed", "machine UUID is not populated")
	m.uuid = uuid

	// One key is enough, and the others are looked after when they can be.
	m.kms.away = true
	s := m.open(c)
	if states(s) != "0 works, 1 unknown" || m.ops != 0 || !strings.Contains(s.Keys[1].Reason, "no route") {
		t.Errorf("%+v", s)
	}
	if s = m.open(encryption(t, "0 nodeID", "2 kms")); states(s) != "0 works, 2 failed" || !reflect.DeepEqual(s.Stale, []int{1}) || m.ops != 0 {
		t.Errorf("the old key goes last: %+v", s)
	}
	m.kms.away = false
	if s = m.open(encryption(t, "0 nodeID", "2 kms")); states(s) != "0 works, 2 added" || !reflect.DeepEqual(s.Removed, []int{1}) {
		t.Errorf("%+v", s)
	}
}

// TestOpenAlready is a volume that is open, whose configuration has changed, or that was overwritten.
func TestOpenAlready(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.open(encryption(t, "0 nodeID", "1 kms"))
	o := m.boot(-1)
	m.mapped = m.disk
	r, err := o.Open(t.Context(), m.request(encryption(t, "0 nodeID", "3 static x")))
	if err != nil || states(r.Status) != "0 works, 3 added" || !m.opens("x", "3") || !r.InOrder || r.Again {
		t.Errorf("%+v, %v", r, err)
	}
	m.kms.away = true
	r, err = o.Open(t.Context(), m.request(encryption(t, "0 nodeID", "3 static x", "4 kms")))
	if err != nil || states(r.Status) != "0 works, 3 works, 4 failed" || r.InOrder || !r.Again {
		t.Errorf("a service that is away: %+v, %v", r, err)
	}
	m.ops = 0
	if r, err = o.Open(t.Context(), m.request(encryption(t, "0 static y"))); report.KindOf(err) != report.Invalid || r.Status.State != "open" || r.Mapped == "" || m.ops > 0 {
		t.Errorf("no key of the list opens it: %+v, %v", r, err)
	}
	m.write(make([]byte, 17<<20), 0)
	q := m.request(encryption(t, "0 nodeID"))
	q.OpenOnly = true
	if r, err = o.Open(t.Context(), q); report.KindOf(err) != report.Invalid || m.ops > 0 {
		t.Errorf("nothing is encrypted by META: %+v, %v", r, err)
	}
	q.OpenOnly = false
	if r, err = o.Open(t.Context(), q); err != nil || !r.Status.Formatted || !r.InOrder {
		t.Errorf("%+v, %v", r, err)
	}
	m.mapped = "/dev/vdb1"
	if _, err = o.Open(t.Context(), q); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "on /dev/vdb1") {
		t.Errorf("%v", err)
	}
}

// TestOpens: whoever is told that a key opens the volume is told before any slot is changed, and can prevent it; a list from
// META changes none; and what a key's derivation has said is not asked again.
func TestOpens(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.open(encryption(t, "0 nodeID", "1 static a"))
	o, q := m.boot(-1), m.request(encryption(t, "0 nodeID", "1 static b", "2 static c"))
	told := errors.New("told")
	q.Opens = func(context.Context) error { return told }
	r, err := o.Open(t.Context(), q)
	if !errors.Is(err, told) || m.ops > 0 || r.Mapped == "" || r.Status.State != "open" || r.InOrder {
		t.Errorf("%+v, %v after %d changes", r, err, m.ops)
	}
	q.Config, q.OpenOnly = encryption(t, "0 nodeID", "2 static c"), true
	if r, err = o.Open(t.Context(), q); err != nil || m.ops > 0 || states(r.Status) != "0 works, 2 untried" {
		t.Errorf("%+v, %v after %d changes", r, err, m.ops)
	}
	q.OpenOnly, q.Opens = false, func(context.Context) error {
		if m.ops > 0 {
			t.Error("told too late")
		}
		return nil
	}
	open := func() (Result, error) {
		m.ops = 0
		return o.Open(t.Context(), q)
	}
	if r, err = open(); err != nil || !reflect.DeepEqual(r.Status.Removed, []int{1}) || !r.InOrder {
		t.Errorf("%+v, %v", r, err)
	}
	m.tests = 0
	for range 2 {
		if r, err = open(); err != nil || !r.InOrder || m.tests > 1 { // that of slot 2, which was new
			t.Errorf("%+v, %v after %d derivations", r, err, m.tests)
		}
	}
	q.Config = encryption(t, "0 nodeID", "2 static d")
	if r, err = open(); err != nil || states(r.Status) != "0 works, 2 replaced" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStates are devices as they may be found.
func TestStates(t *testing.T) {
	t.Parallel()
	luksFormat := func(m *machine, key string) {
		m.must(key, "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-", m.disk)
	}
	for _, tt := range []struct {
		name      string
		keys      []string
		make      func(m *machine)
		formatted bool
		repaired  bool
		fault     string
	}{
		{name: "blank", make: func(*machine) {}, formatted: true},
		{name: "something at its start", make: func(m *machine) { m.write([]byte("XFSB"), 0) }, fault: "something at byte 0"},
		{name: "something further on", make: func(m *machine) { m.write([]byte("x"), 65600) }, fault: "something at byte 65600"},
		{name: "something at its end", make: func(m *machine) { m.write([]byte("x"), 18<<20-9) }, fault: "something at byte 18874359"},
		{name: "marked", make: func(m *machine) { m.write([]byte(marker+"rest"), 0); m.write([]byte("x"), 99999) }, formatted: true},
		{name: "a header without keys", make: func(m *machine) { luksFormat(m, "a"); m.must("", "luksKillSlot", "-q", m.disk, "0") }, formatted: true},
		{name: "a header without keys, and data", make: func(m *machine) {
			luksFormat(m, "a")
			m.must("", "luksKillSlot", "-q", m.disk, "0")
			m.write([]byte("x"), 17<<20)
		}, fault: "the slot is empty"},
		{name: "a random key without its token", keys: []string{"0 kms"}, make: func(m *machine) { luksFormat(m, "lost") }, formatted: true},
		{name: "a random key without its token, and data", keys: []string{"0 kms"}, make: func(m *machine) { luksFormat(m, "lost"); m.write([]byte("x"), 16<<20) }, fault: "no token"},
		{name: "somebody's passphrase, no data", make: func(m *machine) { luksFormat(m, "somebody's") }, fault: "does not open the slot"},
		{name: "another system's", make: func(m *machine) { luksFormat(m, uuid+label) }},
		{name: "first copy damaged", make: func(m *machine) { luksFormat(m, uuid+label); m.write([]byte("damage"), 5000) }, repaired: true},
		{name: "first copy gone", make: func(m *machine) { luksFormat(m, uuid+label); m.write(make([]byte, 16<<10), 0) }, repaired: true},
		{name: "second copy damaged", make: func(m *machine) { luksFormat(m, uuid+label); m.write([]byte("damage"), 16<<10+5000) }, repaired: true},
		{name: "both copies damaged", make: func(m *machine) {
			luksFormat(m, uuid+label)
			m.write([]byte("damage"), 5000)
			m.write([]byte("damage"), 16<<10+5000)
		}, fault: "both copies of the header are damaged"},
		{name: "too small", make: func(m *machine) { os.Truncate(m.disk, 16<<20) }, fault: "header alone takes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			tt.make(m)
			before, err := os.ReadFile(m.disk)
			if err != nil {
				t.Fatal(err)
			}
			if tt.keys == nil {
				tt.keys = []string{"0 nodeID"}
			}
			r, err := m.boot(-1).Open(t.Context(), m.request(encryption(t, tt.keys...)))
			s := r.Status
			if tt.fault != "" {
				after, readErr := os.ReadFile(m.disk)
				if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), tt.fault) || readErr != nil || !bytes.Equal(before, after) {
					t.Errorf("%v; want %q, and nothing changed", err, tt.fault)
				}
				return
			}
			if err != nil || s.Formatted != tt.formatted || (s.Repaired != "") != tt.repaired || s.Foreign != nil {
				t.Fatalf("%+v, %v", s, err)
			}
			m.header()
			if again := m.open(encryption(t, tt.keys...)); again.Formatted || again.Repaired != "" || m.ops != 0 {
				t.Errorf("the next boot: %+v, %d operations", again, m.ops)
			}
		})
	}
}

// TestPowerFailures cuts the power after every operation of boots that change something, with and without losing what was
// not flushed. In each state that is left there is either no header that could have been used, or a configured key that
// opens the volume; and the next boot ends with all keys in order, all others as they were, and the data.
func TestPowerFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		before, after []string // keys; none before is a blank device
		slots         []int
	}{
		{"format", nil, []string{"0 nodeID", "1 kms", "2 static a"}, []int{0, 1, 2}},
		{"format with a sealed key only", nil, []string{"3 kms"}, []int{3}},
		{"add", []string{"0 nodeID"}, []string{"0 nodeID", "1 kms", "2 static a"}, []int{0, 1, 2, 9}},
		{"rotate a passphrase", []string{"0 static a", "1 static b"}, []string{"0 static c", "1 static b"}, []int{0, 1, 9}},
		{"rotate a kind", []string{"0 kms", "1 nodeID"}, []string{"0 static c", "1 nodeID"}, []int{0, 1, 9}},
		{"rotate to a sealed key", []string{"0 static c", "1 nodeID"}, []string{"0 kms", "1 nodeID"}, []int{0, 1, 9}},
		{"move", []string{"0 kms", "1 nodeID"}, []string{"1 nodeID", "2 kms"}, []int{1, 2, 9}},
		{"remove", []string{"0 kms", "1 nodeID", "2 static a"}, []string{"1 nodeID"}, []int{1, 9}},
		{"all at once", []string{"0 kms", "1 nodeID", "2 static a", "3 kms"}, []string{"1 kms", "2 static b", "3 kms", "4 nodeID"}, []int{1, 2, 3, 4, 9}},
	} {
		t.Run(tt.name, func(t *testing.T) { // not all at once: each takes a processor
			m := newMachine(t)
			after := encryption(t, tt.after...)
			var both []v1alpha1.EncryptionKey
			if tt.before != nil {
				both = encryption(t, tt.before...).Keys
				m.open(encryption(t, tt.before...))
				secret := m.secretOf(encryption(t, tt.before...))
				m.addForeign(secret, "mine", "9")
				m.write([]byte("data"), 17<<20)
			}
			start, err := os.ReadFile(m.disk)
			if err != nil {
				t.Fatal(err)
			}
			points := 0
			for cut, done := 0, false; !done; cut++ {
				m.write(start, 0)
				m.lose = nil
				if cut%2 == 1 {
					m.lose = rand.New(rand.NewPCG(1, uint64(cut)))
				}
				_, err := m.boot(cut).Open(t.Context(), m.request(after))
				done = err == nil && m.ops < cut // the power lasted
				m.crash()
				if !done {
					points++
					m.checkState(t, cut, tt.before != nil, after, both)
				}
				s := m.open(after)
				if strings.Contains(states(s), "failed") || s.Formatted && tt.before != nil {
					t.Fatalf("cut after %d: the next boot: %+v", cut, s)
				}
				slots, _ := m.slots()
				want := make([]byte, 4)
				if tt.before != nil {
					want = []byte("data")
				}
				if !reflect.DeepEqual(slots, tt.slots) || tt.before != nil && !m.opens("mine", "9") || !bytes.Equal(m.read(17<<20, 4), want) {
					t.Fatalf("cut after %d: slots %v, %+v", cut, slots, s)
				}
				if m.open(after); m.ops != 0 {
					t.Fatalf("cut after %d: the boot after the next still changed something: %q", cut, m.log)
				}
			}
			t.Logf("%d power failures", points)
		})
	}
}

// checkState checks the state that a power failure has left: a key of the new or the old configuration opens the volume.
func (m *machine) checkState(t *testing.T, cut int, mustOpen bool, after *v1alpha1.Encryption, before []v1alpha1.EncryptionKey) {
	t.Helper()
	v := &volume{Opener: m.boot(-1), Request: m.request(after)}
	blank, err := v.look(t.Context())
	if blank && !mustOpen {
		return
	}
	if blank || err != nil {
		t.Fatalf("cut after %d: blank=%v, %v", cut, blank, err)
	}
	for _, c := range after.Keys { // those of the new configuration alone must do: it is the one that the next boot has
		k := keys.New(c, label, v.Keys())
		if key, err := v.find(t.Context(), k); err == nil && v.luks.Test(t.Context(), m.disk, key) == nil {
			return
		}
	}
	t.Fatalf("cut after %d: no configured key opens the volume", cut)
}

// secretOf is a passphrase of the first key that opens the volume.
func (m *machine) secretOf(c *v1alpha1.Encryption) string {
	m.t.Helper()
	v := &volume{Opener: m.boot(-1), Request: m.request(c), header: m.header()}
	key, err := v.find(m.t.Context(), keys.New(c.Keys[0], label, v.Keys()))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(key.Secret)
}

func (m *machine) read(off, n int64) []byte {
	m.t.Helper()
	f, err := os.Open(m.disk)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	p, err := io.ReadAll(io.NewSectionReader(f, off, n))
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}
