package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/crashlog"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// What a machine says when something must never be lost again.
const (
	stateUsed     = "volume STATE: mounted"
	ephemeralUsed = "volume EPHEMERAL: mounted"
	configKept    = "the machine configuration is kept in STATE"
)

// TestBootPowerCuts records what a first boot writes, and cuts the power at moments of it, with what
// was not flushed lost in part. The next boot always comes to the same end, and what had been used is still the same.
// BOOTWRIGHT_POWERCUT_STATES is the number of cuts of a scenario.
func TestBootPowerCuts(t *testing.T) {
	vmtest.Need(t)
	for _, s := range []*scenario{{name: "plain", image: configured(t), size: 6 << 30}} {
		t.Run(s.name, func(t *testing.T) {
			s.record(t)
			s.cutAll(t)
		})
	}
}

// configured is a disk image with a machine configuration.
func configured(t *testing.T) string {
	t.Helper()
	node := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(node, []byte(configareatest.Worker("kept")), 0o600); err != nil {
		t.Fatal(err)
	}
	return built(t, "metal", "amd64", "--config", node, "--set", "output.outFormat=raw")
}

// scenario is a boot that is recorded, of a disk with an image.
type scenario struct {
	name  string
	image string
	size  int64

	log     *crashlog.Log
	since   map[string]int // what must never be lost once there are so many entries in the log
	report  *bootreport.Report
	volumes map[string]identity // in the end

	mu     sync.Mutex
	counts map[string]int
}

// identity is what tells a volume from one that was made anew.
type identity struct{ partition, inside string }

// disk makes a disk as it was before the first entry of the log.
func (s *scenario) disk(t *testing.T, path string) *os.File {
	t.Helper()
	image, err := os.ReadFile(s.image)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err == nil {
		_, err = f.Write(image)
	}
	if err = errors.Join(err, f.Truncate(s.size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// record boots the machine to its end, and finds out since when what must never be lost.
func (s *scenario) record(t *testing.T) {
	dir := t.TempDir()
	disk, log := filepath.Join(dir, "disk"), filepath.Join(dir, "log")
	s.disk(t, disk)
	f, err := os.Create(log)
	if err == nil {
		err = f.Truncate(64 << 30)
	}
	if err != nil {
		t.Fatal(err)
	}
	since := &moments{log: f}
	console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Writable: true, WriteLog: log, Serial: since})
	if s.log, err = crashlog.Read(f); err != nil {
		t.Fatal(err)
	}
	s.log.Entries = append(s.log.Entries, crashlog.Entry{Flush: true}) // the last state is the disk as it is
	s.since, s.counts = map[string]int{bootreport.Ready: len(s.log.Entries)}, map[string]int{}
	for _, text := range []string{stateUsed, ephemeralUsed, configKept} {
		s.since[text] = since.of(text)
	}
	s.report = vmtest.Report(t, console)
	s.volumes = identities(t, disk)
	if len(s.report.Errors) > 0 || len(s.volumes) != 2 || slices.Contains([]int{s.since[stateUsed], s.since[ephemeralUsed], s.since[configKept]}, -1) {
		t.Fatalf("%+v, volumes %v, moments %v\n%s", s.report.Errors, s.volumes, s.since, console)
	}
	t.Logf("%d entries, %d of them writes; %v", len(s.log.Entries), s.log.Writes(), s.since)
}

// moments notes, as a console comes, how many entries a log has. What a machine says that it has done is among them.
type moments struct {
	log  *os.File
	text strings.Builder
	at   []moment
}

type moment struct{ length, entries int }

func (m *moments) Write(p []byte) (int, error) {
	var entries [8]byte
	if _, err := m.log.ReadAt(entries[:], 16); err != nil {
		return 0, err
	}
	m.text.Write(p)
	m.at = append(m.at, moment{m.text.Len(), int(binary.LittleEndian.Uint64(entries[:]))})
	return len(p), nil
}

// of is the moment at which a text was complete, or -1.
func (m *moments) of(text string) int {
	i := strings.Index(m.text.String(), text)
	if i < 0 {
		return -1
	}
	return m.at[slices.IndexFunc(m.at, func(n moment) bool { return n.length >= i+len(text) })].entries
}

// cuts are n moments: a third of them close to where a partition table is written or something begins to count, a third spread
// over all entries, and a third over those since a volume was used.
func (s *scenario) cuts(n int) []int {
	var near []int
	for _, at := range s.since {
		near = append(near, at)
	}
	for i, e := range s.log.Entries {
		if e.Size > 0 && (e.Offset < 1<<20 || e.Offset >= s.size-1<<20) {
			near = append(near, i)
		}
	}
	slices.Sort(near)
	random, last, used := rand.New(rand.NewPCG(1, 1)), len(s.log.Entries), s.since[stateUsed]
	at := make([]int, n)
	for i := range at {
		switch i % 3 {
		case 0:
			at[i] = min(near[i*len(near)/n]+random.IntN(4), last)
		case 1:
			at[i] = i * last / n
		case 2:
			at[i] = used + i*(last-used)/n
		}
	}
	return at
}

// cutAll makes the disks of power cuts, looks at each, and boots each.
func (s *scenario) cutAll(t *testing.T) {
	n := 4 // with every change; `make test-powercut` has more
	if more, err := strconv.Atoi(os.Getenv("BOOTWRIGHT_POWERCUT_STATES")); err == nil {
		n = more
	}
	t.Run("cut", func(t *testing.T) {
		for i, at := range s.cuts(n) {
			t.Run(fmt.Sprintf("%d of %d", at, len(s.log.Entries)), func(t *testing.T) {
				t.Parallel()
				s.cut(t, at, uint64(i))
			})
		}
	})
	t.Logf("%s: %v", s.name, s.counts)
}

func (s *scenario) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// cut boots what a power cut after so many entries leaves.
func (s *scenario) cut(t *testing.T, at int, seed uint64) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := s.log.Replay(s.disk(t, path), at, seed); err != nil {
		t.Fatal(err)
	}
	before := identities(t, path)
	s.same(t, at, before, "before the boot")
	console := vmtest.Boot(t, vm.Options{Image: path, As: vm.Disk, Writable: true})
	r := vmtest.Report(t, console)
	checkVolumes(t, r, path, console)
	if len(r.Errors) > 0 || r.Hostname != "kept" {
		t.Errorf("errors %+v, host name %s", r.Errors, r.Hostname)
	}
	if at >= s.since[configKept] {
		s.count("with the configuration")
		if r.Config.Source != bootreport.SourceState {
			t.Errorf("the configuration is %+v", r.Config)
		}
	}
	if at >= s.since[bootreport.Ready] && r.MachineID != s.report.MachineID {
		t.Errorf("the machine is %s, and was %s", r.MachineID, s.report.MachineID)
	}
	after := identities(t, path)
	s.same(t, at, after, "after the boot")
	for label, was := range before {
		if after[label] != was {
			t.Errorf("%s was %v before the boot, and is %v", label, was, after[label])
		}
	}
	s.count("booted")
	if t.Failed() {
		t.Log(console)
	}
}

// same checks that the volumes that had been used are what they were.
func (s *scenario) same(t *testing.T, at int, got map[string]identity, when string) {
	t.Helper()
	for label, text := range map[string]string{"STATE": stateUsed, "EPHEMERAL": ephemeralUsed} {
		if at < s.since[text] {
			continue
		}
		if when == "after the boot" {
			s.count("with " + label)
		}
		if got[label] != s.volumes[label] {
			t.Errorf("%s is %v %s, and was %v", label, got[label], when, s.volumes[label])
		}
	}
}

// identities are the volumes that a disk has. A table must be readable, and a volume that has its name must have its file system.
func identities(t *testing.T, path string) map[string]identity {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]identity{}
	for _, p := range table.Partitions {
		if p.Name != "STATE" && p.Name != "EPHEMERAL" {
			continue
		}
		inside, err := probe.Probe(p.Content)
		if err != nil || inside.UUID == "" || inside.Name != probe.XFS {
			t.Errorf("%s has %+v, %v", p.Name, inside, err)
		}
		got[p.Name] = identity{p.GUID.String(), inside.UUID}
	}
	return got
}
