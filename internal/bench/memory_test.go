//go:build linux

package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/formats/blob"
)

// benchMemory is the most memory that a build ever had resident. The kernel counts a new process with the memory of the one
// that starts it until it begins its program, so that no figure is below floor, which is this test's own.
//
// The big ones have a part that is a sparse file: a root image as large as FAT lets a UKI be, and a kernel of 8 GiB, which
// nothing else has a place for. They are streamed, so that they need no disk. cold also hashes the part.
func (f *fixture) benchMemory(b *testing.B) {
	out := f.folder(b, "memory")
	hideTotal(b)
	report := func(name string, args ...string) {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets this process's own peak
		b.ReportMetric(float64(f.mustRun(b, f.bin, args...).Maxrss)/1024, name+"-MiB")
	}
	report("floor", "version")
	report("iso", f.build("iso", out)...)
	for _, big := range []struct {
		name, kind, title string
		size              int64
	}{{"iso-of-3.9-GiB", "iso", base.Root, 3900 << 20}, {"kernel-of-8-GiB", "kernel", base.Kernel, 8 << 30}} {
		dir := f.folder(b, big.name)
		enlarge(b, dir, big.title, big.size)
		args := []string{"build", big.kind, "--quiet", "--arch", "amd64", "--base", "dir:" + dir, "-o", "-"}
		report(big.name+"-cold", args...)
		report(big.name, args...)
	}
}

// enlarge makes a base in dir whose part title is a sparse file of size bytes.
func enlarge(b *testing.B, dir, title string, size int64) {
	basetest.Write(b, dir, "amd64")
	path := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(path)
	must(b, err)
	var m base.Manifest
	must(b, json.Unmarshal(text, &m))
	must(b, os.Truncate(filepath.Join(dir, title), size))
	for i, p := range m.Parts {
		if p.Title == title {
			part, err := blob.OpenFile(filepath.Join(dir, title))
			must(b, err)
			m.Parts[i].Size = size
			m.Parts[i].Digest, err = blob.Sum(b.Context(), part)
			must(b, err)
			part.Close()
		}
	}
	text, err = json.Marshal(m)
	must(b, err)
	must(b, os.WriteFile(path, text, 0o666))
}
