//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/oracle"
)

// BenchmarkExtensions measures what extensions cost a build.
func BenchmarkExtensions(b *testing.B) {
	f := prepare(b)
	b.Run("fifth", f.benchFifth)
	b.Run("cold", f.benchCold)
}

// extensionRounds are fewer than rounds: each takes seconds.
const extensionRounds = 5

// benchFifth is an ISO with five extensions of 20 MB, images in a layout: with a cache that has all but the fifth, with one that has
// none of them, and again.
func (f *fixture) benchFifth(b *testing.B) {
	layout := "oci:" + filepath.Join(f.folder(b, "fifth"), "images")
	var refs []string
	for i := range 5 {
		name := fmt.Sprintf("e%d", i)
		f.mustRun(b, f.bin, "extension", "pack", writeExtension(b, filepath.Join(f.dir, name), name, 20), "-o", layout+":"+name)
		refs = append(refs, "--system-extension-image", layout+":"+name)
	}
	out := f.folder(b, "fifth-out")
	warm, none := *f, *f
	warm.cache, none.cache = filepath.Join(f.dir, "warm"), filepath.Join(f.dir, "none")
	four := filepath.Join(f.dir, "four")
	filled := *f
	filled.cache = four
	f.mustRun(b, oracle.Need(b, "cp"), "-a", f.cache, four)
	filled.mustRun(b, f.bin, f.build("iso", out, refs[:8]...)...)
	got := times{}
	for range max(extensionRounds, b.N) {
		f.forget(b, warm.cache, none.cache, filepath.Join(out, isoName))
		f.mustRun(b, "cp", "-a", four, warm.cache)
		f.mustRun(b, "cp", "-a", f.cache, none.cache)
		f.forget(b)
		got.time("five", func() { none.mustRun(b, f.bin, f.build("iso", out, refs...)...) })
		f.forget(b, filepath.Join(out, isoName))
		got.time("fifth", func() { warm.mustRun(b, f.bin, f.build("iso", out, refs...)...) })
		f.forget(b, filepath.Join(out, isoName))
		got.time("again", func() { warm.mustRun(b, f.bin, f.build("iso", out, refs...)...) })
	}
	got.report(b)
	got.ratio(b, "fifth", "five")
	got.ratio(b, "again", "five")
}

// benchCold is a folder of 300 MB as the layer of an initramfs that is not written, and the most memory that takes, beside what others
// make of the same folder with the same compressor and level.
func (f *fixture) benchCold(b *testing.B) {
	dir := writeExtension(b, filepath.Join(f.dir, "big"), "big", 300)
	root, image := filepath.Join(dir, "rootfs"), filepath.Join(f.dir, "big.sqsh")
	mksquashfs := []string{root, image, "-comp", "zstd", "-Xcompression-level", "9", "-noappend", "-quiet", "-no-progress", "-all-root"}
	tar2sqfs := fmt.Sprintf("tar -C %s -cf - . | %s -q -f -c zstd -X level=9 %s", root, oracle.Need(b, "tar2sqfs"), image)
	cold := *f
	cold.cache = filepath.Join(f.dir, "cold")
	debug.FreeOSMemory() // a new process counts with the memory of this one
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	got := times{}
	var peak int64
	for range max(extensionRounds, b.N) {
		f.forget(b, cold.cache)
		f.mustRun(b, "cp", "-a", f.cache, cold.cache)
		f.forget(b)
		got.time("layer", func() {
			use := cold.mustRun(b, f.bin, "plan", "initramfs", "--quiet", "--json", "--arch", "amd64", "--base", f.base, "--system-extension-image", dir)
			peak = max(peak, use.Maxrss)
		})
		f.forget(b, image)
		got.time("mksquashfs", func() { f.mustRun(b, oracle.Need(b, "mksquashfs"), mksquashfs...) })
		f.forget(b, image)
		got.time("tar2sqfs", func() { f.mustRun(b, "sh", "-c", tar2sqfs) })
	}
	got.report(b)
	got.ratio(b, "layer", "mksquashfs")
	got.ratio(b, "layer", "tar2sqfs")
	b.ReportMetric(float64(peak)/1024, "layer-MiB")
}

// writeExtension makes an extension of megabytes in files of one: pieces of the programs and sources of Go, no two of them alike.
func writeExtension(b *testing.B, dir, name string, megabytes int) string {
	const piece = 1_000_000
	manifest := "version: v1alpha1\nmetadata: {name: " + name + ", version: '1'}\n"
	share := filepath.Join(dir, "rootfs/usr/local/share", name)
	must(b, os.MkdirAll(share, 0o755))
	must(b, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o644))
	var matter []byte
	root := filepath.Join(strings.TrimSpace(oracle.Run(b, "go", "env", "GOROOT")))
	for _, pattern := range []string{"bin/go", "pkg/tool/*/compile", "src/*/*.go", "src/*/*/*.go", "src/*/*/*/*.go"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		must(b, err)
		for _, file := range found {
			content, err := os.ReadFile(file)
			must(b, err)
			matter = append(matter, content...)
		}
	}
	seed := int(name[len(name)-1]) * 31
	for i := range megabytes {
		at := (i*piece*7/5 + (seed+i)*10_007) % (len(matter) - piece)
		content := append([]byte(fmt.Sprintln("#", name, i)), matter[at:at+piece]...) // begins like no program
		must(b, os.WriteFile(filepath.Join(share, fmt.Sprint(i)), content, 0o644))
	}
	return dir
}
