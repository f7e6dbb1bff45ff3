package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/layout"
)

// assets are small ones, different from version to version.
func assets(t testing.TB, version string) *bootassets.Assets {
	t.Helper()
	return assetsWith(t, version, nil)
}

// assetsWith are those with other files in the place of some.
func assetsWith(t testing.TB, version string, others map[string]blob.Blob) *bootassets.Assets {
	t.Helper()
	fill := func(n int) blob.Blob { return blob.Bytes(bytes.Repeat([]byte(version+" "), n)) }
	stub := petest.Stub()
	files := map[string]blob.Blob{
		bootassets.Kernel: fill(9000), bootassets.Head: fill(10), bootassets.Root: fill(20000), bootassets.Tail: fill(4),
		bootassets.SDBoot: blob.Bytes(stub), bootassets.Stub: blob.Bytes(stub), bootassets.GRUBBoot: blob.Bytes(make([]byte, 512)), bootassets.GRUBCore: fill(5000),
	}
	maps.Copy(files, others)
	a, err := bootassets.New(t.Context(), bootassets.Description{Version: version, Arch: "amd64", Platform: "metal", KernelVersion: "6.1.0", Cmdline: "talos.platform=metal console=tty0", Epoch: 1700000000},
		files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ids(name string) [16]byte { s := sha256.Sum256([]byte(name)); return [16]byte(s[:16]) }

const diskSize = 3*layout.GiB + 512*7

// page is what memory holds of a disk at a time, in bytes.
const page = 4096

// disk is a sparse disk in memory that records what is done to it.
type memDisk struct {
	size  int64
	pages map[int64][]byte
	log   []write
	fail  int // writes until it fails; 0 for never
}

// write is one request; a sync has no data and no size.
type write struct {
	off, size int64
	data      []byte // nil for zeros
	sync      bool
}

func newDisk(size int64) *memDisk { return &memDisk{size: size, pages: map[int64][]byte{}} }

func (d *memDisk) Size() int64 { return d.size }

func (d *memDisk) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(0, d.size-off)))
	for i := 0; i < n; {
		at := off + int64(i)
		m := min(n-i, int(page-at%page))
		if have := d.pages[at/page]; have != nil {
			copy(p[i:i+m], have[at%page:])
		} else {
			clear(p[i : i+m])
		}
		i += m
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *memDisk) apply(w write) {
	for i := int64(0); i < w.size; {
		at := w.off + i
		m := min(w.size-i, page-at%page)
		have := d.pages[at/page]
		switch {
		case w.data == nil && m == page:
			delete(d.pages, at/page)
		case w.data == nil && have != nil:
			clear(have[at%page : at%page+m])
		case w.data != nil:
			if have == nil {
				have = make([]byte, page)
				d.pages[at/page] = have
			}
			copy(have[at%page:], w.data[i:i+m])
		}
		i += m
	}
}

func (d *memDisk) do(w write) error {
	if d.fail > 0 && len(d.log) >= d.fail {
		return io.ErrShortWrite
	}
	d.log = append(d.log, w)
	d.apply(w)
	return nil
}

func (d *memDisk) WriteAt(p []byte, off int64) (int, error) {
	return len(p), d.do(write{off: off, size: int64(len(p)), data: bytes.Clone(p)})
}

func (d *memDisk) Zero(off, size int64) error { return d.do(write{off: off, size: size}) }
func (d *memDisk) Sync() error                { return d.do(write{sync: true}) }

// file is the range of the disk as a sparse file, for judges.
func (d *memDisk) file(t testing.TB, off, size int64) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for at, p := range d.pages {
		if at := at*page - off; at >= 0 && at < size {
			if _, err := f.WriteAt(p[:min(page, size-at)], at); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f.Name()
}

func (d *memDisk) clone() *memDisk {
	c := newDisk(d.size)
	for at, p := range d.pages {
		c.pages[at] = bytes.Clone(p)
	}
	return c
}

// after is the disk that a power cut leaves behind the first n requests of log, done to before: what was not synced is kept, lost or torn
// between sectors, as seed says.
func after(before *memDisk, log []write, n int, seed uint64) *memDisk {
	d := before.clone()
	synced := 0
	for i, w := range log[:n] {
		if w.sync {
			synced = i
		}
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	for i, w := range log[:n] {
		if i >= synced && !w.sync {
			switch random.IntN(3) {
			case 0:
				continue
			case 1:
				w.size = random.Int64N(w.size/512+1) * 512
			}
		}
		d.apply(w)
	}
	return d
}

// folder is a Folder in memory that stops after so many operations: as if the power was cut within the next one.
type folder struct {
	files map[string][]byte
	room  int64
	left  int  // operations; -1 for any number
	torn  bool // whether the one that is cut leaves its first half

	twins map[string]string // names of one file, which a rename that was cut has left it
}

func newFolder(room int64) *folder { return &folder{files: map[string][]byte{}, room: room, left: -1} }

// step reports whether the next operation is done.
func (f *folder) step() bool {
	if f.left == 0 {
		return false
	}
	if f.left > 0 {
		f.left--
	}
	return true
}

func (f *folder) used() (n int64) {
	for _, p := range f.files {
		n += int64(len(p))
	}
	return n
}

func (f *folder) List(dir string) ([]File, error) {
	sizes := map[string]int64{}
	for name, p := range f.files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			sizes[first] += int64(len(p))
		}
	}
	var out []File
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		out = append(out, File{name, sizes[name]})
	}
	return out, nil
}

func (f *folder) Read(name string) ([]byte, error) {
	p, ok := f.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return p, nil
}

func (f *folder) Write(_ context.Context, name string, content blob.Blob) error {
	p, err := blob.ReadAll(content, 1<<30)
	if err != nil {
		return err
	}
	if f.used()+int64(len(p)) > f.room {
		return fs.ErrInvalid
	}
	f.free(name)
	if !f.step() {
		if f.torn {
			f.files[name] = p[:len(p)/2]
		}
		return errPower
	}
	f.files[name] = p
	return nil
}

func (f *folder) Overwrite(name string, at int64, p []byte) error {
	done := f.step()
	if !done && !f.torn {
		return errPower
	}
	if !done {
		p = p[:len(p)/2]
	}
	text := bytes.Clone(f.files[name])
	copy(text[at:], p)
	f.files[name] = text
	if !done {
		return errPower
	}
	return nil
}

// free is what becomes of the clusters of a file that is removed, replaced or written anew: its other name has them no longer.
func (f *folder) free(name string) {
	if twin := f.twins[name]; twin != "" {
		f.files[twin] = []byte("free clusters")
		delete(f.twins, twin)
	}
	delete(f.twins, name)
}

func (f *folder) Rename(from, to string) error {
	if !f.step() {
		switch _, replaces := f.files[to]; {
		case f.torn && replaces:
			delete(f.files, from)
		case f.torn: // both names are there
			f.files[to] = f.files[from]
			f.twins = map[string]string{from: to, to: from}
		}
		return errPower
	}
	f.free(to)
	p, ok := f.files[from]
	if !ok {
		return fs.ErrNotExist
	}
	delete(f.files, from)
	f.files[to] = p
	return nil
}

func (f *folder) Remove(name string) error {
	done := f.step()
	for _, file := range slices.Sorted(maps.Keys(f.files)) {
		if file == name || strings.HasPrefix(file, name+"/") {
			if !done && !f.torn {
				break
			}
			f.free(file)
			delete(f.files, file)
			if !done {
				break
			}
		}
	}
	if !done {
		return errPower
	}
	return nil
}

func (f *folder) Free() (int64, error) { return f.room - f.used(), nil }

func (f *folder) clone(left int, torn bool) *folder {
	return &folder{files: maps.Clone(f.files), room: f.room, left: left, torn: torn}
}

var errPower = io.ErrClosedPipe

// has reports the base names of files below dir.
func (f *folder) has(dir string) (names []string) {
	files, _ := f.List(dir)
	for _, file := range files {
		names = append(names, path.Base(file.Name))
	}
	return names
}
