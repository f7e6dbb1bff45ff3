//go:build linux

package bench

import (
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

func BenchmarkISO(b *testing.B) {
	f := prepare(b)
	b.Run("layout", f.benchLayout)
	b.Run("build", f.benchBuild)
	b.Run("over", f.benchOver)
	b.Run("others", f.benchOthers)
	b.Run("rebuild", f.benchRebuild)
	b.Run("http", f.benchHTTP)
	b.Run("memory", f.benchMemory)
	b.Run("boot", f.benchBoot)
}

// benchLayout is an ISO from warm inputs inside one process: the first with a new store, as a command has it, then the
// same again, as a service does.
func (f *fixture) benchLayout(b *testing.B) {
	got := times{}
	cp, out := oracle.Need(b, "cp"), filepath.Join(f.dir, "copy.iso")
	for range max(rounds, b.N) {
		f.forget(b, out)
		got.time("cp", func() { f.mustRun(b, cp, f.iso, out) })
		maker, done := f.builder(b)
		var plan *builder.Plan
		var iso *builder.Artifact
		var err error
		got.time("lock", func() { plan, err = maker.Lock(b.Context(), f.profile(b, "iso")) })
		must(b, err)
		got.time("layout", func() { iso, err = maker.Build(b.Context(), plan) })
		must(b, err)
		got.time("layout-again", func() { iso, err = maker.Build(b.Context(), plan) })
		must(b, err)
		got.time("map", func() { blob.Map(iso.Files[0].Blob) })
		done()
	}
	got.report(b)
	got.ratio(b, "layout", "cp")
	f.reportSizes(b)
}

// reportSizes reports how large the assets are beside what they are made of, in MB of a million bytes.
func (f *fixture) reportSizes(b *testing.B) {
	maker, done := f.builder(b)
	defer done()
	for _, kind := range []string{"initramfs", "iso"} {
		plan, asset := f.layOut(b, maker, kind)
		var inputs int64
		for _, in := range plan.Inputs {
			inputs += in.Size
		}
		b.ReportMetric(float64(asset.Size())/1e6, kind+"-MB")
		b.ReportMetric(float64(inputs)/1e6, kind+"-inputs-MB")
	}
}

// benchBuild is `bootwright build iso` as a process that writes a new file, beside a copy of that file. A copy that is
// synced is the fair reference: bootwright syncs what it writes before it gives it its name. plan is all that build does
// before it writes, and prints it; version is the start of the process.
func (f *fixture) benchBuild(b *testing.B) {
	out := filepath.Join(f.folder(b, "new"), isoName)
	got := compare(b,
		f.program(b, "build", out, append([]string{f.bin}, f.build("iso", filepath.Dir(out))...)...),
		f.program(b, "cp", out, oracle.Need(b, "cp"), f.iso, out),
		f.program(b, "cp+sync", out, copyAndSync(b, f.iso, out)...),
		f.program(b, "plan", out, f.bin, "plan", "iso", "--json", "--quiet", "--arch", "amd64", "--base", f.base),
		f.program(b, "version", out, f.bin, "version"),
	)
	got.ratio(b, "build", "cp")
	got.ratio(b, "build", "cp+sync")
}

// benchOver is benchBuild onto a file that is there, whose old content has to be given back to the disk.
func (f *fixture) benchOver(b *testing.B) {
	out := filepath.Join(f.folder(b, "over"), isoName)
	settle := func() { f.forget(b) }
	again := func(name string, args ...string) entrant {
		return entrant{name, settle, func(int) { f.mustRun(b, args[0], args[1:]...) }}
	}
	f.mustRun(b, oracle.Need(b, "cp"), f.iso, out)
	got := compare(b,
		again("build", append([]string{f.bin}, f.build("iso", filepath.Dir(out))...)...),
		again("cp", oracle.Need(b, "cp"), f.iso, out),
		again("cp+sync", copyAndSync(b, f.iso, out)...),
	)
	got.ratio(b, "build", "cp")
	got.ratio(b, "build", "cp+sync")
}

func copyAndSync(b *testing.B, from, to string) []string {
	return []string{oracle.Need(b, "sh"), "-c", `cp "$0" "$1" && sync "$1"`, from, to}
}
