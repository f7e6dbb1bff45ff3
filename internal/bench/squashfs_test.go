//go:build linux

package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// BenchmarkSquashfs makes a layer of the files in the base's root image, as one of a system extension is made, from a folder.
// bootwright's is the half that is kept and the tables around it: an asset refers to both. The others write an image, with
// the level of zstd that takes them about as far. default is bootwright at its own level, which mksquashfs-7 compares to.
func BenchmarkSquashfs(b *testing.B) {
	f := prepare(b)
	files := filepath.Join(f.dir, "root")
	f.mustRun(b, oracle.Need(b, "unsquashfs"), "-quiet", "-no-progress", "-d", files, f.part(b, base.Root))
	archive := filepath.Join(f.dir, "root.tar")
	f.mustRun(b, oracle.Need(b, "tar"), "-C", files, "-cf", archive, ".")
	dir := f.folder(b, "squashfs")
	out := func(name string) string { return filepath.Join(dir, name) }
	pack := func(name string, level int) entrant {
		return entrant{name, func() { f.forget(b, out(name)) }, func(int) { packTree(b, files, out(name), level) }}
	}
	mksquashfs := func(name, level string) entrant {
		return f.program(b, name, out(name), oracle.Need(b, "mksquashfs"), files, out(name), "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", level)
	}
	tar2sqfs := f.program(b, "tar2sqfs", out("tar2sqfs"), oracle.Need(b, "sh"), "-c", oracle.Need(b, "tar2sqfs")+` -q -f -c zstd -X level=3 "$0" <"$1"`, out("tar2sqfs"), archive)
	got := compare(b, pack("pack", 3), pack("default", 0), mksquashfs("mksquashfs", "3"), mksquashfs("mksquashfs-7", "7"), tar2sqfs)
	got.ratio(b, "pack", "mksquashfs")
	got.ratio(b, "pack", "tar2sqfs")
	got.ratio(b, "default", "mksquashfs-7")
	for name := range got {
		st, err := os.Stat(out(name))
		must(b, err)
		b.ReportMetric(float64(st.Size())/1e6, name+"-MB")
	}
}

// packTree writes the data half of the image of what is in files to out, and lays the image out.
func packTree(b *testing.B, files, out string, level int) {
	t, err := tree.FromDir(files)
	must(b, err)
	w, err := os.Create(out)
	must(b, err)
	o := squashfs.WriteOptions{Level: level}
	must(b, squashfs.Compress(b.Context(), w, t, o))
	must(b, w.Close())
	data, err := blob.OpenFile(out)
	must(b, err)
	defer data.Close()
	_, err = squashfs.Format(t, data, o)
	must(b, err)
}
