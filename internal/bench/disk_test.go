//go:build linux

package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

// BenchmarkDisk is disk images beside what makes the same of a raw one.
func BenchmarkDisk(b *testing.B) {
	f := prepare(b)
	raw := filepath.Join(f.folder(b, "reference"), "metal-amd64.raw")
	f.mustRun(b, f.bin, f.disk(filepath.Dir(raw), "raw", "raw")...)
	b.Run("formats", func(b *testing.B) { f.benchFormats(b, raw) })
	b.Run("zst", func(b *testing.B) { f.benchCompressed(b, raw) })
	b.Run("second", f.benchSecond)
	b.Run("large", func(b *testing.B) { f.benchLarge(b) })
}

// disk is the command line that builds a disk image of a format into the folder out.
func (f *fixture) disk(out, format, around string, more ...string) []string {
	args := f.build("metal", out, "--set", "output.imageOptions.diskFormat="+format, "--set", "output.outFormat="+around)
	return append(args, more...)
}

// benchFormats are the formats that refer to the disk, of a plan whose raw disk is there, beside cp of the raw disk and
// qemu-img. All write a new file and see it on the medium, which is what bootwright does; qemu-img does not by itself.
func (f *fixture) benchFormats(b *testing.B, raw string) {
	out := f.folder(b, "formats")
	ours := func(format string) entrant {
		return f.program(b, format, filepath.Join(out, "metal-amd64."+format), append([]string{f.bin}, f.disk(out, format, "raw")...)...)
	}
	convert := func(format, as string) entrant {
		to := filepath.Join(out, "theirs."+as)
		return f.program(b, "qemu-img-"+format, to, oracle.Need(b, "sh"), "-c", `qemu-img convert -f raw -O `+as+` "$0" "$1" && sync "$1"`, raw, to)
	}
	copied := filepath.Join(out, "copy.raw")
	got := compare(b, ours("raw"), ours("qcow2"), ours("vhd"), f.program(b, "cp+sync", copied, copyAndSync(b, raw, copied)...),
		convert("qcow2", "qcow2"), convert("vhd", "vpc"))
	for _, format := range []string{"raw", "qcow2", "vhd"} {
		got.ratio(b, format, "cp+sync")
	}
	got.ratio(b, "qcow2", "qemu-img-qcow2")
	got.ratio(b, "vhd", "qemu-img-vhd")
}

// benchCompressed is .raw.zst with nothing kept, beside zstd of the raw disk at the same level on as many processors.
func (f *fixture) benchCompressed(b *testing.B, raw string) {
	out := f.folder(b, "zst")
	ours, theirs := filepath.Join(out, "metal-amd64.raw.zst"), filepath.Join(out, "theirs.zst")
	round := 0
	cold := entrant{"raw.zst", func() { f.forget(b, ours); round++ }, func(n int) {
		// another version is another plan, of which nothing is kept
		f.mustRun(b, f.bin, f.disk(out, "raw", ".zst", "--set", "version=v0.0."+strings.Repeat("1", 1+round%50))...)
	}}
	tool := f.program(b, "zstd", theirs, oracle.Need(b, "sh"), "-c", `zstd -q -T0 -3 "$0" -o "$1" && sync "$1"`, raw, theirs)
	got := compare(b, cold, tool)
	got.ratio(b, "raw.zst", "zstd")
	for name, file := range map[string]string{"raw.zst-MB": ours, "zstd-MB": theirs} {
		st, err := os.Stat(file)
		must(b, err)
		b.ReportMetric(float64(st.Size())/1e6, name)
	}
}

// benchSecond is a raw disk, locked and laid out in one process, and then the same disk in each format that refers to it. The
// bytes that are not in the raw disk are the format's own.
func (f *fixture) benchSecond(b *testing.B) {
	got := times{}
	sizes := map[string]int64{}
	for range max(rounds, b.N) {
		maker, done := f.builder(b)
		for _, format := range []string{"raw", "qcow2", "vhd"} {
			got.time(format, func() {
				_, disk := f.layOut(b, maker, "metal", "output.imageOptions.diskFormat", format, "output.outFormat", "raw")
				sizes[format] = stored(disk)
			})
		}
		done()
	}
	got.report(b)
	for _, format := range []string{"qcow2", "vhd"} {
		got.ratio(b, format, "raw")
		b.ReportMetric(float64(sizes[format]-sizes["raw"])/1e3, format+"-own-kB")
	}
}

// stored is how many bytes of b are not holes.
func stored(b blob.Blob) (n int64) {
	for _, e := range blob.Map(b) {
		n += e.Blob.Size()
	}
	return n
}

// benchLarge is a disk of 8 GiB with the same content: what it costs beside the small one, and the memory it takes.
func (f *fixture) benchLarge(b *testing.B) {
	out := f.folder(b, "large")
	image := filepath.Join(out, "metal-amd64.qcow2")
	size := func(name string, more ...string) entrant {
		return f.program(b, name, image, append([]string{f.bin}, f.disk(out, "qcow2", "raw", more...)...)...)
	}
	const large = "output.imageOptions.diskSize=8589934592"
	got := compare(b, size("small"), size("8GiB", "--set", large))
	got.ratio(b, "8GiB", "small")
	f.forget(b, image)
	used := f.mustRun(b, f.bin, f.disk(out, "qcow2", "raw", "--set", large)...)
	b.ReportMetric(float64(used.Maxrss)/1024, "peak-MiB")
	st, err := os.Stat(image)
	must(b, err)
	b.ReportMetric(float64(st.Size())/1e6, "qcow2-MB")
}
