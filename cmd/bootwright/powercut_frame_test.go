package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/crashlog"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// scenario is a boot that is recorded, and cut. The fields of the first group say what it is.
type scenario struct {
	name string
	// disk is the disk before the boot, a file with holes, which is copied.
	disk string
	// machine is the machine with that disk. Where log is not "", all that is written to the disk goes into it.
	machine func(disk, log string) vm.Options
	// says are texts of the console after each of which something is never to be lost; after the first, the disk as such.
	says []string
	// inUse: it all had been said before the boot began.
	inUse bool
	// blank: before the boot there is no partition table.
	blank bool
	// until is a text of the console behind which there are no cuts; "" for none.
	until string
	// most is how many cuts are booted at most; 0 for as many as is asked for.
	most int
	// judge has other programs look at a disk, and returns how many there were to say something; may be nil.
	judge func(t *testing.T, disk blob.Blob) int
	// secrets open the encrypted volumes, if there are any.
	secrets secrets
	// kept is nil if what counted after so many entries is on a disk, as it was cut and once more when it was booted.
	kept func(s *scenario, at int, disk blob.Blob, got seen) error
	// booted checks a machine that was booted after so many entries.
	booted func(t *testing.T, s *scenario, at int, console, disk string)

	log           *crashlog.Log
	since         map[string]int // what must never be lost once there are so many entries in the log
	final         string         // the disk after the boot
	console       string
	before, after seen

	mu     sync.Mutex
	counts struct{ states, outside, booted, used, converged int }
}

// sparse copies a file, and leaves its holes out.
func sparse(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "--reflink=auto", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// opened is a file until the test ends.
func opened(t *testing.T, path string) *blob.File {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// run records the boot, and cuts it. Its final disk is there as long as t.
func (s *scenario) run(t *testing.T) {
	dir := t.TempDir()
	ran := t.Run(s.name, func(t *testing.T) {
		s.record(t, dir)
		s.checkStates(t)
		s.cutAll(t)
		c := s.counts
		t.Logf("%s: %d entries of the log, %d of them writes; %d states looked at by the host and %d by other programs; %d booted, %d of them with something to lose, %d as they should be",
			s.name, len(s.log.Entries)-1, s.log.Writes(), c.states, c.outside, c.booted, c.used, c.converged)
	})
	if !ran {
		t.FailNow()
	}
}

// record boots the machine to its end, and finds out since when what must never be lost.
func (s *scenario) record(t *testing.T, dir string) {
	s.final = filepath.Join(dir, s.name)
	log := s.final + ".log"
	sparse(t, s.disk, s.final)
	f, err := os.Create(log)
	if err == nil {
		err = f.Truncate(64 << 30)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	since := &moments{log: f}
	o := s.machine(s.final, log)
	o.Serial = since
	s.console = vmtest.Boot(t, o)
	if s.log, err = crashlog.Read(f); err != nil {
		t.Fatal(err)
	}
	if s.until != "" {
		s.log.Entries = s.log.Entries[:since.of(s.until)]
	}
	s.log.Entries = append(s.log.Entries, crashlog.Entry{Flush: true}) // the last state is the disk as it is
	s.since = map[string]int{bootreport.Ready: len(s.log.Entries)}
	for _, text := range s.says {
		if s.since[text] = since.of(text); s.inUse {
			s.since[text] = 0
		}
		if s.since[text] < 0 {
			t.Fatalf("the machine did not say %q\n%s", text, s.console)
		}
	}
	before, after := opened(t, s.disk), opened(t, s.final)
	s.secrets.learn(t, before)
	s.secrets.learn(t, after)
	if s.before, err = s.look(before, &s.secrets); err != nil {
		t.Fatalf("before: %v", err)
	}
	if s.after, err = s.look(after, &s.secrets); err != nil {
		t.Fatalf("after: %v\n%s", err, s.console)
	}
	t.Logf("%d entries; %v", len(s.log.Entries), s.since)
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

// checkStates looks at what a cut at each entry leaves, in several ways where something may be lost, and has another program
// look at some.
func (s *scenario) checkStates(t *testing.T) {
	c, last := s.log.Cursor(opened(t, s.disk)), len(s.log.Entries)
	for at := range last + 1 {
		if err := c.Advance(at); err != nil {
			t.Fatal(err)
		}
		seeds := uint64(1)
		if c.Unsure() > 0 {
			seeds = 4
		}
		for seed := range seeds {
			d, err := c.State(seed)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.look(d, &s.secrets)
			if err == nil {
				err = errors.Join(s.consistent(got.parts), s.kept(s, at, d, got))
			}
			if err != nil {
				t.Errorf("cut %d of %d, seed %d: %v", at, last, seed, err)
			}
			s.counts.states++
			if samples := states(); seed == seeds-1 && at*samples/last != (at+1)*samples/last {
				s.counts.outside += s.secrets.judge(t, d)
				if s.judge != nil {
					s.counts.outside += s.judge(t, d)
				}
			}
		}
	}
}

// states is how many cuts of a scenario are booted.
func states() int {
	if n, err := strconv.Atoi(os.Getenv("BOOTWRIGHT_POWERCUT_STATES")); err == nil {
		return n
	}
	return 8 // with every change; `make test-powercut` has more
}

// cuts are n moments: a third of them close to where tables and headers are written or something begins to count, a third
// spread over all entries, and a third over those since the disk counts.
func (s *scenario) cuts(n int) []int {
	last := len(s.log.Entries)
	near, used := []int{0}, s.since[s.says[0]]
	for _, at := range s.since {
		near = append(near, at)
	}
	for i, e := range s.log.Entries {
		if e.Size > 0 && s.after.vital(e.Offset) {
			near = append(near, i+1)
		}
	}
	slices.Sort(near)
	random := rand.New(rand.NewPCG(1, 1))
	at := make([]int, n)
	for i := range at {
		switch i % 3 {
		case 0:
			at[i] = min(near[i*len(near)/n]+random.IntN(3), last)
		case 1:
			at[i] = i * last / n
		case 2:
			at[i] = used + i*(last-used)/n
		}
	}
	return at
}

// cutAll boots what power cuts leave.
func (s *scenario) cutAll(t *testing.T) {
	t.Run("cut", func(t *testing.T) {
		n := states()
		if s.most > 0 {
			n = min(n, s.most)
		}
		for i, at := range s.cuts(n) {
			t.Run(fmt.Sprintf("%d of %d", at, len(s.log.Entries)), func(t *testing.T) {
				t.Parallel()
				s.cut(t, at, uint64(i))
			})
		}
	})
}

// cut boots what a power cut after so many entries leaves.
func (s *scenario) cut(t *testing.T, at int, seed uint64) {
	path := filepath.Join(t.TempDir(), "disk")
	s.rebuild(t, path, at, seed)
	disk := opened(t, path)
	before, err := s.look(disk, &s.secrets)
	if err != nil {
		t.Error(err)
	}
	console := vmtest.Boot(t, s.machine(path, ""))
	s.booted(t, s, at, console, path)
	now := secrets{passphrases: s.secrets.passphrases} // volumes that had not been used may have been made anew
	now.learn(t, disk)
	after, err := s.look(disk, &now)
	if err == nil {
		err = errors.Join(s.kept(s, at, disk, after), before.keptBy(after), s.after.like(after))
	}
	if err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.booted++
	if at >= s.since[s.says[0]] {
		s.counts.used++
	}
	if t.Failed() {
		t.Log(said(console))
		return
	}
	s.counts.converged++
}

// said is what the init said on a console, and the kernel when it began to.
func said(console string) string {
	if i := strings.Index(console, "bootwright: version"); i > 0 {
		return console[i:]
	}
	return console
}

// rebuild writes the disk that a power cut leaves.
func (s *scenario) rebuild(t *testing.T, path string, at int, seed uint64) {
	t.Helper()
	sparse(t, s.disk, path)
	c := s.log.Cursor(opened(t, s.disk))
	if err := c.Advance(at); err != nil {
		t.Fatal(err)
	}
	d, err := c.State(seed)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Patch(f), f.Close()); err != nil {
		t.Fatal(err)
	}
}
