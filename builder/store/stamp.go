package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// stamp is what a file system says of a file without reading it. Times are nanoseconds since 1970.
type stamp struct {
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"`
	CTime int64  `json:"ctime"`
}

func stampOf(f *blob.File) (stamp, error) {
	st, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampFrom(st), nil
}

func stampFrom(info fs.FileInfo) stamp {
	inode, ctime := identity(info)
	return stamp{inode, info.Size(), info.ModTime().UnixNano(), ctime.UnixNano()}
}

// settled reports whether any change from began on gives the file another stamp. It does not while the clock that stamps
// files may still show the time of the last change: up to 2 s where times are coarse (FAT), and one tick of the kernel
// where they are not.
func (st stamp) settled(began time.Time) bool {
	tick := 2 * time.Second
	if st.CTime%int64(time.Millisecond) != 0 {
		tick = 20 * time.Millisecond
	}
	return st.CTime < began.Add(-tick).UnixNano()
}

// record says that a file with this stamp had this digest. That stays true whatever becomes of the file, so records need
// no order among processes: the last one written wins.
type record struct {
	Key    string      `json:"key"`
	Digest blob.Digest `json:"digest"`
	stamp
	Boot string `json:"boot,omitempty"` // of the system, where it is not known that the disk has the content
}

// used is the accuracy of an entry's last use: a warm build should not write a record for every input it opens.
const used = time.Hour

// recall is the digest recorded under key for the file f with stamp st, or "" where there is none to trust.
func (s *Store) recall(key string, f *blob.File, st stamp) blob.Digest {
	s.mu.Lock()
	r, ok := s.seen[key]
	s.mu.Unlock()
	if ok && r.stamp == st {
		return r.Digest
	}
	path := s.stampPath(key)
	r = record{}
	if s.opts.Verify || !readRecord(path, &r) || r.Key != key || r.stamp != st || !valid(r.Digest) {
		return ""
	}
	switch info, err := os.Stat(path); {
	case r.Boot != "":
		// The write may have failed, or been lost with the power, when nobody waited for it.
		if r.Boot != s.boot || f.Sync() != nil {
			return ""
		}
		r.Boot = ""
		s.remember(r)
	case err == nil && time.Since(info.ModTime()) > used:
		// In a folder that cannot be written nothing is pruned either.
		_ = os.Chtimes(path, time.Time{}, time.Now())
	}
	return r.Digest
}

func (s *Store) remember(r record) {
	s.mu.Lock()
	s.seen[r.Key] = r
	s.mu.Unlock()
	// A record that cannot be written costs a hash next time, no more.
	_ = s.writeRecord(s.stampPath(r.Key), r)
}

func (s *Store) stampPath(key string) string { return s.path("stamps", hashed(key)) }

// hashed is the file name that stands for key.
func hashed(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func valid(d blob.Digest) bool {
	_, err := blob.ParseDigest(string(d))
	return err == nil
}

// readRecord reports whether the file at path is a record and fills v from it.
func readRecord(path string, v any) bool {
	p, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(p, v) == nil
}

// writeRecord replaces the record at path in one step. It is not durable: after a power cut it may be missing or unreadable.
func (s *Store) writeRecord(path string, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := s.temp()
	if err != nil {
		return err
	}
	defer discard(f)
	if _, err := f.Write(p); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
