//go:build linux

package bench

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/profiles"
)

// fixture is what all benchmarks share: a base, a compiled bootwright, a warm cache, an ISO, and a folder for output.
type fixture struct {
	base  string // reference
	dir   string // everything is on its disk
	bin   string
	cache string
	iso   string // what the others make or copy
}

// prepare compiles bootwright and fills its cache. Without a base there is nothing to measure.
func prepare(b *testing.B) *fixture {
	b.Helper()
	f := &fixture{base: testBase(b)}
	f.dir = scratch(b)
	f.bin, f.cache = filepath.Join(f.dir, "bootwright"), filepath.Join(f.dir, "cache")
	f.mustRun(b, oracle.Need(b, "go"), "build", "-trimpath", "-ldflags=-s -w", "-o", f.bin, "../../cmd/bootwright")
	ref := f.folder(b, "reference")
	for range 2 { // twice, because a file that is very new is hashed again
		f.mustRun(b, f.bin, f.build("iso", ref)...)
	}
	f.iso = filepath.Join(ref, isoName)
	return f
}

// isoName is what the built-in profile iso leaves.
const isoName = "metal-amd64.iso"

// testBase is the base that BOOTWRIGHT_TEST_BASE names.
func testBase(b *testing.B) string {
	dir := os.Getenv("BOOTWRIGHT_TEST_BASE")
	switch {
	case dir != "":
		return "oci:" + dir
	case os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1":
		b.Fatal("BOOTWRIGHT_TEST_BASE must name the OCI layout of a base; `make bench` sets it")
	}
	b.Skip("SKIPPED: BOOTWRIGHT_TEST_BASE names no base; `make bench` makes one")
	return ""
}

// scratch is a folder beside other build output: /tmp may be in memory, and this is also about the disk.
func scratch(b *testing.B) string {
	out, err := filepath.Abs("../../_out")
	if err == nil {
		err = os.MkdirAll(out, 0o777)
	}
	must(b, err)
	dir, err := os.MkdirTemp(out, "bench-")
	must(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (f *fixture) folder(b *testing.B, name string) string {
	dir := filepath.Join(f.dir, name)
	must(b, os.MkdirAll(dir, 0o777))
	return dir
}

// build is the command line that builds kind into the folder out.
func (f *fixture) build(kind, out string, more ...string) []string {
	return append([]string{"build", kind, "--quiet", "--arch", "amd64", "--base", f.base, "-o", out}, more...)
}

// mustRun runs a program with f's cache and returns what the system counted.
func (f *fixture) mustRun(b *testing.B, program string, args ...string) *syscall.Rusage {
	b.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "BOOTWRIGHT_CACHE="+f.cache, "LC_ALL=C.UTF-8")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, complaints.Bytes())
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

// program is an entrant that runs a command line whose output is the file out, new each time.
func (f *fixture) program(b *testing.B, name, out string, args ...string) entrant {
	return entrant{name, func() { f.forget(b, out) }, func(int) { f.mustRun(b, args[0], args[1:]...) }}
}

// forget removes the output of the round before, and lets the disk finish with everything, so that no entrant pays for
// another.
func (f *fixture) forget(b *testing.B, paths ...string) {
	for _, path := range paths {
		must(b, os.RemoveAll(path))
	}
	dir, err := os.Open(f.dir)
	must(b, err)
	defer dir.Close()
	must(b, unix.Syncfs(int(dir.Fd())))
}

// builder is a Builder in this process, over f's cache, as the commands make it.
func (f *fixture) builder(b *testing.B) (*builder.Builder, func()) {
	s, err := store.Open(f.cache, store.Options{})
	must(b, err)
	return &builder.Builder{Store: s, Images: fetch.New(s, fetch.Options{}), Init: embedded.Init}, func() { s.Close() }
}

// profile is the built-in one of that kind, with settings: fields and their values, in turn.
func (f *fixture) profile(b *testing.B, kind string, settings ...string) *profiles.Profile {
	p, err := profiles.Builtin(kind)
	must(b, err)
	for pair := range slices.Chunk(settings, 2) {
		must(b, p.Set("bench", pair[0], pair[1]))
	}
	must(b, p.Set("bench", "arch", "amd64"))
	must(b, p.Set("bench", "base", f.base))
	p, err = profiles.Resolve(p)
	must(b, err)
	return p
}

// layOut locks and builds kind with settings by maker.
func (f *fixture) layOut(b *testing.B, maker *builder.Builder, kind string, settings ...string) (*builder.Plan, blob.Blob) {
	plan, err := maker.Lock(b.Context(), f.profile(b, kind, settings...))
	must(b, err)
	artifact, err := maker.Build(b.Context(), plan)
	must(b, err)
	return plan, artifact.Files[0].Blob
}

// configured is a machine of the base's kernel and an initramfs with a configuration, which has field under machine. More are
// flags of the build.
func (f *fixture) configured(b *testing.B, field string, more ...string) vm.Options {
	dir, err := os.MkdirTemp(f.dir, "configured-")
	must(b, err)
	config := filepath.Join(dir, "node.yaml")
	text := strings.Replace(configareatest.Worker("configured"), "machine:\n", "machine:\n  "+field+"\n", 1)
	must(b, os.WriteFile(config, []byte(text), 0o600))
	flags := append([]string{"--config", config, "--set", "customization.machineConfig.embed=initramfs"}, more...)
	f.mustRun(b, f.bin, f.build("initramfs", dir, flags...)...)
	maker, done := f.builder(b)
	defer done()
	plan, _ := f.layOut(b, maker, "initramfs")
	return vm.Options{Kernel: f.part(b, base.Kernel), Initrd: filepath.Join(dir, "initramfs-metal-amd64.img"), Append: plan.Cmdline}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
