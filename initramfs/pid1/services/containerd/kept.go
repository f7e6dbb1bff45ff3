package containerd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"regexp"
)

// What containerd keeps from one run to the next, which a power cut or a failing disk may have damaged.
const (
	keptDir = "/var/lib/containerd"
	// asideDir has what it kept when that was of no more use: the last such folder.
	asideDir = keptDir + ".damaged"
	// uuidFile is how containerd calls itself.
	uuidFile = keptDir + "/io.containerd.grpc.v1.introspection/uuid"
)

// databases are those without which containerd runs and does nothing.
func databases() []string {
	return []string{
		keptDir + "/io.containerd.metadata.v1.bolt/meta.db",
		keptDir + "/io.containerd.snapshotter.v1.overlayfs/metadata.db",
	}
}

// uuid is what containerd takes for one, of those that it writes.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// mendKept takes away what containerd would stumble over at each start. Its UUID it makes again; it does not flush it, and does not mend one that
// a power cut left empty. Where a database is damaged nothing finds what is beside it any more: all is put aside, for people, and containerd
// begins anew.
func (d Deps) mendKept() error {
	text, err := d.M.ReadFile(uuidFile)
	switch {
	case err == nil && !uuid.Match(text):
		d.Log.Warnf("containerd: %s is damaged, and made again: %.40q is no UUID", uuidFile, text)
		if err := d.M.RemoveAll(uuidFile); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, name := range databases() {
		switch fault, err := d.damage(name); {
		case err != nil:
			return err
		case fault != nil:
			d.Log.Warnf("containerd: %s is damaged: %v; what containerd kept is put aside in %s, and it begins anew", name, fault, asideDir)
			if err := d.M.RemoveAll(asideDir); err != nil {
				return err
			}
			return d.M.Rename(keptDir, asideDir)
		}
	}
	return nil
}

// damage is what is wrong with a database, or nil. The error is that it cannot be read.
func (d Deps) damage(name string) (fault, err error) {
	f, err := d.M.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	fault, err = checkBolt(f, info.Size())
	if err != nil {
		err = fmt.Errorf("%s: %w", path.Base(name), err)
	}
	return fault, err
}

// A bolt database (go.etcd.io/bbolt, version 2 of its format) begins with two pages of which each, behind a header, describes the whole: the
// later one that is whole counts. All numbers are in the byte order of the machine, which is little.
const (
	boltPage    = 4 << 10 // of the machine that made it
	boltHeader  = 16      // of a page
	boltMeta    = 64      // bytes of a description, the last 8 of which are the FNV-1a sum of those before
	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

// checkBolt looks at the descriptions alone: fault is that there is none, or that the file ends before the last page. An empty file is one that
// bolt fills.
func checkBolt(r io.ReaderAt, size int64) (fault, err error) {
	if size == 0 {
		return nil, nil
	}
	var newest, needs uint64
	found := false
	for _, at := range []int64{0, boltPage} {
		var p [boltMeta]byte
		if n, err := r.ReadAt(p[:], at+boltHeader); n < len(p) {
			if errors.Is(err, io.EOF) {
				break
			}
			return nil, err
		}
		if id, bytes, ok := describes(p); ok && (!found || id > newest) {
			newest, needs, found = id, bytes, true
		}
	}
	switch {
	case !found:
		return fmt.Errorf("%d bytes, and no bolt database", size), nil
	case needs > uint64(size):
		return fmt.Errorf("%d bytes of %d", size, needs), nil
	}
	return nil, nil
}

// describes reads a description: the number of its transaction, and how long the file is at least.
func describes(p [boltMeta]byte) (transaction, bytes uint64, ok bool) {
	sum := fnv.New64a()
	sum.Write(p[:boltMeta-8])
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(p[at:])) }
	long := func(at int) uint64 { return binary.LittleEndian.Uint64(p[at:]) }
	pages := min(long(40), 1<<31) // no file has more, and the product is a number
	ok = word(0) == boltMagic && word(4) == boltVersion && long(56) == sum.Sum64()
	return long(48), pages * word(8), ok
}
