package fat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// fsck wants the volume at path to be clean: status 0, and nothing said but the version and the summary.
func fsck(t *testing.T, path string) {
	t.Helper()
	out := oracle.Run(t, "fsck.fat", "-n", path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "fsck.fat ") || !strings.Contains(lines[1], " files, ") {
		t.Errorf("fsck.fat -n says\n%s", out)
	}
}

func TestFsck(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "fsck.fat")
	for name, c := range volumes() {
		if c.o.Size > 2<<30 {
			continue // fsck.fat reads the FAT, 200 MB here
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := mustFormat(t, bootTree(c.content), c.o)
			fsck(t, oracle.File(t, im))
		})
	}
}

// TestFsckRandom has random trees judged, as FuzzFormat has them read.
func TestFsckRandom(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "fsck.fat")
	for seed := range uint64(12) {
		files, o := randomVolume(seed)
		im, err := Format(files, o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		fsck(t, oracle.File(t, im))
	}
}

// TestMtools is the second judge: it computes the geometry in its own way, and reads every file back.
func TestMtools(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "mcopy")
	for name, c := range volumes() {
		if c.o.Size > 2<<30 || c.o.SectorSize == 4096 {
			continue // mtools knows no sectors of 4096 bytes
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := bootTree(c.content)
			path := oracle.File(t, mustFormat(t, files, c.o))
			info := oracle.Run(t, "minfo", "-i", path, "::")
			if want := fmt.Sprintf("serial number: %08X", c.o.Serial); !strings.Contains(info, want) || !strings.Contains(info, fmt.Sprintf("disk type=\"FAT%d", c.bits)) {
				t.Errorf("minfo does not say %q and FAT%d:\n%s", want, c.bits, info)
			}
			list := oracle.Run(t, "mdir", "-i", path, "::")
			if c.o.Label != "" && !strings.Contains(list, "Volume in drive : is "+c.o.Label) {
				t.Errorf("mdir does not show label %q:\n%s", c.o.Label, list)
			}
			dir := t.TempDir()
			oracle.Run(t, "mcopy", "-s", "-n", "-i", path, "::*", dir)
			sameAsFolder(t, files, dir)
		})
	}
}

// TestSevenZip is a third judge, which finds files through its own reading of the folders.
func TestSevenZip(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Size: 40 * mib, Label: "EFI"}, {SectorSize: 4096}, {SectorSize: 4096, Size: 300 * mib}} {
		files, dir := bootTree(mib), t.TempDir()
		oracle.Run(t, "7z", "x", "-tfat", "-o"+dir, oracle.File(t, mustFormat(t, files, o)))
		sameAsFolder(t, files, dir)
	}
}

func sameAsFolder(t *testing.T, files *tree.Tree, dir string) {
	t.Helper()
	for _, n := range files.Nodes() {
		p := filepath.Join(dir, filepath.FromSlash(n.Path))
		if n.Mode.IsDir() {
			if st, err := os.Stat(p); err != nil || !st.IsDir() {
				t.Errorf("%s: %v", n.Path, err)
			}
			continue
		}
		got, err := os.ReadFile(p)
		if err != nil {
			t.Error(err)
			continue
		}
		if at, err := blob.Equal(context.Background(), blob.Bytes(got), n.Open()); at >= 0 || err != nil {
			t.Errorf("%s differs at %d (%v)", n.Path, at, err)
		}
	}
}

// TestReadsMkfs reads volumes that mkfs.vfat made and mtools filled, with a file in pieces.
func TestReadsMkfs(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "mkfs.vfat")
	oracle.Need(t, "mcopy")
	for _, args := range [][]string{
		{"-F", "12", "-s", "1", "1440"}, {"-F", "16", "16384"}, {"-F", "32", "40000"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, bits := filepath.Join(dir, "volume"), args[1]
			oracle.Run(t, "mkfs.vfat", append([]string{"-C", "-i", "CAFE1234", "-n", "MADE BY MK", "-F", bits, path}, args[2:]...)...)
			want := &tree.Tree{}
			put := func(name string, content blob.Blob) {
				want.File(name, 0o644, content)
				oracle.Run(t, "mcopy", "-o", "-i", path, oracle.File(t, content), "::"+name)
			}
			for i := range 6 {
				put(fmt.Sprintf("hole%d", i), noise(uint64(i), 60_000))
			}
			oracle.Run(t, "mmd", "-i", path, "::Ordner", "::Ordner/lower")
			want.Dir("Ordner/lower", 0o755)
			put("Ordner/lower.txt", blob.String("flags"))
			// Less room behind the last file than the next one needs: it must take the holes too.
			put("filler", noise(8, int(mustRead(t, open(t, path)).Free)-100_000))
			for i := 0; i < 6; i += 2 {
				want.Remove(fmt.Sprintf("hole%d", i))
				oracle.Run(t, "mdel", "-i", path, fmt.Sprintf("::hole%d", i))
			}
			put("Ordner/lower/A file in pieces.bin", noise(9, 230_000))
			v := mustRead(t, open(t, path))
			if fmt.Sprint(v.Bits) != bits || v.Label != "MADE BY MK" || v.Serial != 0xCAFE1234 {
				t.Errorf("%+v", v)
			}
			if n := len(blob.Map(v.Tree.Get("Ordner/lower/A file in pieces.bin").Content)); n < 2 {
				t.Errorf("the file is in %d pieces; it was to be in several", n)
			}
			if v.Tree.Len() != want.Len() {
				t.Errorf("%d nodes, want %d", v.Tree.Len(), want.Len())
			}
			for _, n := range want.Nodes() {
				got := v.Tree.Get(n.Path)
				if got == nil || got.Mode.IsDir() != n.Mode.IsDir() {
					t.Errorf("%s: %+v", n.Path, got)
				} else if at, err := blob.Equal(context.Background(), got.Open(), n.Open()); at >= 0 || err != nil {
					t.Errorf("%s differs at %d (%v)", n.Path, at, err)
				}
			}
			free := oracle.Run(t, "mdir", "-i", path, "::")
			if digits := strings.ReplaceAll(free[strings.LastIndex(strings.TrimRight(free, "\n "), "\n")+1:], " ", ""); !strings.HasPrefix(digits, fmt.Sprint(v.Free)) {
				t.Errorf("%d bytes free; mdir says %q", v.Free, digits)
			}
		})
	}
}

// TestReadsTooFewClusters reads what by the letter of the specification would be FAT12, and is FAT32 to everybody.
func TestReadsTooFewClusters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "volume")
	oracle.Run(t, "mkfs.vfat", "-C", "-F", "32", "-n", "FEW", path, "2048")
	if v := mustRead(t, open(t, path)); v.Bits != 32 || v.Label != "FEW" || v.Tree.Len() != 0 {
		t.Errorf("%+v", v)
	}
}

func open(t *testing.T, path string) blob.Blob {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestBootCodeSaysNothingBoots(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{16, 32} {
		p := make([]byte, bootSize)
		if err := blob.ReadFull(mustFormat(t, &tree.Tree{}, Options{Bits: bits}), p, 0); err != nil {
			t.Fatal(err)
		}
		if code := p[2+p[1]:]; !bytes.HasPrefix(code, []byte{0xCD, 0x18}) {
			t.Errorf("FAT%d: the jump leads to % x", bits, code[:4])
		}
	}
}
