package fat

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

// randomVolume is a tree and options that Format accepts.
func randomVolume(seed uint64) (*tree.Tree, Options) {
	r := rand.New(rand.NewPCG(seed, 7))
	files, folders := &tree.Tree{}, []string{"."}
	stems := []string{"A", "file", "a long name with spaces", "Ünïcödé", "x.y.z", "MIXED.Txt", "~1", "日本"}
	for i := range r.IntN(120) {
		name := path.Join(folders[r.IntN(len(folders))], fmt.Sprintf("%s%d%s", stems[r.IntN(len(stems))], i, []string{"", ".t", ".text", ".TXT"}[r.IntN(4)]))
		n := tree.Node{Path: name, Mode: []fs.FileMode{0o644, 0o444}[r.IntN(2)], ModTime: time.Unix(r.Int64N(4e9), 0)}
		switch r.IntN(4) {
		case 0:
			n.Mode = fs.ModeDir | 0o755
			folders = append(folders, name)
		case 1:
			n.Content = noise(seed+uint64(i), r.IntN(20_000))
		case 2:
			n.Content = noise(seed, r.IntN(3)*4096)
		}
		if err := files.Add(n); err != nil {
			panic(err)
		}
	}
	o := Options{
		Align: []int64{0, 512, 4096, 65536}[r.IntN(4)], Serial: r.Uint32(), Label: []string{"", "LABEL"}[r.IntN(2)],
		SectorSize: []int{0, 512, 4096}[r.IntN(3)], Epoch: epoch(), Hidden: r.Uint32(),
	}
	if r.IntN(2) == 0 {
		o.Size = (40 + r.Int64N(60)) * mib
	} else if o.SectorSize != 4096 && r.IntN(2) == 0 {
		o.Bits = 32
	}
	return files, o
}

// FuzzFormat lays out random trees, which Read must give back.
func FuzzFormat(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		files, o := randomVolume(seed)
		v := mustRead(t, mustFormat(t, files, o))
		if v.Label != o.Label || v.Serial != o.Serial {
			t.Errorf("%+v", v)
		}
		sameTree(t, v.Tree, files, o.Epoch)
	})
}

// FuzzRead feeds Read the first bytes of a volume of 3 MiB, the rest zero; what it accepts must be readable.
func FuzzRead(f *testing.F) {
	for _, bits := range []int{12, 32} {
		f.Add(tinyVolume(bits))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		const size = 3 * mib
		im, err := blob.NewImage(size, blob.Extent{Blob: blob.Bytes(p[:min(len(p), size)])})
		if err != nil {
			t.Fatal(err)
		}
		v, err := Read(im)
		if err != nil {
			return
		}
		buf := make([]byte, 512)
		for _, n := range v.Tree.Nodes() {
			if err := tree.CheckPath(n.Path); err != nil {
				t.Fatal(err)
			}
			if n.Size() > v.Size {
				t.Fatalf("%s has %d bytes, the volume %d", n.Path, n.Size(), v.Size)
			}
			if err := blob.ReadFull(n.Open(), buf[:min(n.Size(), 512)], max(0, n.Size()-512)); err != nil {
				t.Fatal(err)
			}
		}
		if v.Free < 0 || v.Free > v.Size {
			t.Fatalf("%d bytes free of %d", v.Free, v.Size)
		}
	})
}

// tinyVolume is a volume of a few sectors, small enough for a fuzzer to change every part of it: a folder with a file
// of two clusters.
func tinyVolume(bits int) []byte {
	g := geometry{bits: bits, sector: 512, cluster: 512, reserved: 1, fatSize: 1, fats: 1, rootSlots: 16, clusters: 8}
	if bits == 32 {
		g.rootSlots = 0
	}
	g.size = g.offset(firstCluster + g.clusters)
	p := &plan{folders: []*folder{{}}}
	out := make([]byte, g.size)
	copy(out, p.bootSector(g))
	links, root, sub := []int64{0, 0, -1, -1, 5, -1}, g.rootStart(), int64(3)
	for c, next := range links {
		switch v := uint32(next) & 0x0FFFFFFF; bits {
		case 32:
			copy(out[g.fatStart()+int64(c)*4:], []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		case 12:
			at := g.fatStart() + int64(c)*3/2
			out[at] |= byte(v << (c % 2 * 4))
			out[at+1] |= byte(v << (c % 2 * 4) >> 8)
		}
	}
	if bits == 32 {
		root = g.offset(2)
	}
	(&entry{name: pack("DIR", ""), attr: attrFolder, first: sub}).encode(out[root:])
	name := []uint16{'l', 'o', 'n', 'g', ' ', 'n', 'a', 'm', 'e', ' ', 'o', 'f', ' ', 'i', 't'}
	short := pack("LONGNA~1", "")
	encodeLong(out[g.offset(sub):], name, short.checksum())
	(&entry{name: short, first: 4, size: 700}).encode(out[g.offset(sub)+2*slotSize:])
	return out
}

func TestTinyVolume(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{12, 32} {
		v := mustRead(t, blob.Bytes(tinyVolume(bits)))
		if n := v.Tree.Get("DIR/long name of it"); n == nil || n.Size() != 700 || v.Bits != bits {
			t.Errorf("FAT%d: %+v", bits, v)
		}
	}
}
