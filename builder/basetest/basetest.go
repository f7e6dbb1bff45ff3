// Package basetest makes small bases for tests: every part is there and has the shape that recipes ask for, none of them
// boots. The same bytes come out every time.
package basetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
)

// Release is the kernel release of the bases.
const Release = "6.1.0-0-test"

// Write makes a base for arch in the folder dir, to be named dir:DIR.
func Write(t testing.TB, dir, arch string) {
	t.Helper()
	if err := Make(dir, arch); err != nil {
		t.Fatal(err)
	}
}

// MakeExtensible is Make of a base whose root image can be read: it holds the tree of exttest.Base and the index of its kernel
// modules, and is for exttest.Release.
func MakeExtensible(dir, arch string) error {
	root := exttest.Base()
	x, err := exttest.Index(root)
	if err != nil {
		return err
	}
	for _, n := range x.Files().Nodes() {
		root.File("usr/lib/modules/"+exttest.Release+"/"+n.Path, n.Mode, n.Content)
	}
	var data bytes.Buffer
	if err := squashfs.Compress(context.Background(), &data, root, squashfs.WriteOptions{}); err != nil {
		return err
	}
	image, err := squashfs.Format(root, blob.Bytes(data.Bytes()), squashfs.WriteOptions{})
	if err != nil {
		return err
	}
	content, err := blob.ReadAll(image, 1<<20)
	if err != nil {
		return err
	}
	return write(dir, arch, exttest.Release, content)
}

// Make is Write where there is no test at hand.
func Make(dir, arch string) error {
	return write(dir, arch, Release, append([]byte("hsqs"), pattern(200_000)...))
}

func write(dir, arch, release string, root []byte) error {
	early, err := earlyArchive()
	if err != nil {
		return err
	}
	parts := map[string][]byte{
		base.Kernel:      Kernel(release),
		base.Early:       early,
		base.Root:        root,
		base.SystemdBoot: petest.Stub(),
		base.SystemdStub: petest.Stub(),
	}
	if arch == "amd64" {
		parts[base.GRUBBoot] = pattern(512)
		parts[base.GRUBHybrid] = pattern(512)
		parts[base.GRUBCore] = pattern(30_000)
		parts[base.GRUBElTorito] = pattern(40_000)
	}
	m := base.Manifest{
		SchemaVersion: base.SchemaVersion, Name: "test", Version: "1.0", Arch: arch, Flavour: "test", KernelVersion: release,
		Epoch: 1_700_000_000,
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, title := range slices.Sorted(maps.Keys(parts)) {
		content := parts[title]
		m.Parts = append(m.Parts, base.Part{Title: title, Size: int64(len(content)), Digest: blob.SumBytes(content), MediaType: base.PartMediaType})
		if err := os.WriteFile(filepath.Join(dir, title), content, 0o666); err != nil {
			return err
		}
	}
	config, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest.json"), config, 0o666)
}

// Kernel is a file with the header of an x86 kernel of that release (Documentation/arch/x86/boot.rst), and no code.
func Kernel(release string) []byte {
	p := pattern(300_000)
	clear(p[:0x400])
	le := binary.LittleEndian
	copy(p, "MZ")
	p[0x1f1] = 4 // setup sectors
	le.PutUint16(p[0x1fe:], 0xaa55)
	copy(p[0x202:], "HdrS")
	le.PutUint16(p[0x206:], 0x020f)
	le.PutUint16(p[0x20e:], 0x300-0x200)
	le.PutUint16(p[0x236:], 0x3) // 64-bit
	copy(p[0x300:], release+" (test) #1\x00")
	return p
}

func earlyArchive() ([]byte, error) {
	var t tree.Tree
	t.File("usr/lib/modules/"+Release+"/kernel/loop.ko", 0o644, blob.Bytes(pattern(9_000)))
	im, err := cpio.Format(&t, cpio.Options{})
	if err != nil {
		return nil, err
	}
	return blob.ReadAll(im, 1<<20)
}

// pattern is n bytes that are no zeros and the same every time.
func pattern(n int) []byte { return bytes.Repeat([]byte("bootwright test\n"), n/16+1)[:n] }
