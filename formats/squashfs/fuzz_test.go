package squashfs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
)

// FuzzWrite makes a tree by a script, writes and reads it.
func FuzzWrite(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}, uint8(0))
	f.Add(bytes.Repeat([]byte{0, 200, 3, 1, 100, 0, 5, 77, 9, 3, 250, 1, 7, 8, 9}, 40), uint8(1))
	f.Add(bytes.Repeat([]byte{2, 0, 255, 255, 4, 6, 0, 9, 16, 1, 1}, 90), uint8(2))
	f.Fuzz(func(t *testing.T, script []byte, size uint8) {
		tr := scripted(script)
		o := squashfs.WriteOptions{Epoch: epoch, BlockSize: 4096 << (size % 4)}
		got, err := squashfs.Read(write(t, tr, o), squashfs.Options{})
		must(t, err)
		same(t, "read back", dump(t, got), dump(t, tr))
	})
}

// scripted is a tree of what script says, as far as it can be said.
func scripted(script []byte) *tree.Tree {
	next := func() int {
		if len(script) == 0 {
			return 0
		}
		v := script[0]
		script = script[1:]
		return int(v)
	}
	tr := &tree.Tree{}
	var shared []blob.Blob
	for i := 0; len(script) > 0 && i < 400; i++ {
		n := tree.Node{Path: fmt.Sprint(next() % 60), UID: uint32(next() << 20), ModTime: time.Unix(int64(next())<<24, 0)}
		for range next() % 4 {
			n.Path = fmt.Sprintf("%d/%s", next()%5, n.Path)
		}
		n.Path += strings.Repeat("x", next()%240)
		types := []fs.FileMode{0, fs.ModeDir, fs.ModeSymlink, fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice, fs.ModeNamedPipe, fs.ModeSocket}
		n.Mode = types[max(0, next()%12-5)] | fs.FileMode(next()<<1)
		switch n.Mode.Type() {
		case 0:
			n.Content = content(next(), next, shared)
			shared = append(shared, n.Content)
		case fs.ModeSymlink:
			n.Link = strings.Repeat("l/", next()+1)
		case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
			n.Major, n.Minor = uint32(next()), uint32(next()<<10)
		}
		if x := next(); x > 200 {
			n.Xattrs = map[string]string{"security.x": strings.Repeat("v", next()*9), fmt.Sprint("user.", x): "w"}
		}
		_ = tr.Add(n) // refused where a parent is no folder
	}
	return tr
}

// content is text, noise, zeros, both, or what was there before.
func content(kind int, next func() int, shared []blob.Blob) blob.Blob {
	long := next() * 101
	switch kind % 6 {
	case 0:
		return blob.String(strings.Repeat("text ", long/5))
	case 1:
		return blob.Bytes(noise(uint64(next()%3), long))
	case 2:
		return blob.Zeros(int64(long))
	case 3:
		return blob.Concat(blob.Part("", blob.Zeros(int64(long))), blob.Part("", blob.String("x")), blob.Part("", blob.Zeros(int64(next()*50))))
	case 4:
		return blob.Bytes(slices.Concat(noise(1, next()), make([]byte, long), noise(2, next())))
	}
	if len(shared) == 0 {
		return nil
	}
	return shared[next()%len(shared)]
}

// FuzzFormat gives Format a data half that Compress did not make. What it takes must be read without harm.
func FuzzFormat(f *testing.F) {
	seed := bytes.Repeat([]byte{0, 200, 3, 1, 100, 0, 5, 77, 9, 3, 250, 1, 7, 8, 9}, 3)
	o := squashfs.WriteOptions{BlockSize: 4096}
	tr := scripted(seed)
	var data bytes.Buffer
	must(f, squashfs.Compress(f.Context(), &data, tr, o))
	f.Add(data.Bytes())
	f.Add(data.Bytes()[data.Len()-56:])
	f.Fuzz(func(t *testing.T, p []byte) {
		im, err := squashfs.Format(tr, blob.Bytes(p), o)
		if err != nil {
			return
		}
		got, err := squashfs.Read(im, squashfs.Options{})
		must(t, err)
		for _, n := range got.Nodes() {
			_, _ = blob.Sum(t.Context(), n.Open())
		}
	})
}
