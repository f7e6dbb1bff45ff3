package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/result"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/profiles"
)

// newBuilder is a builder with an empty store, and the folder of a base for amd64.
func newBuilder(t testing.TB) (*Builder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "base")
	basetest.Write(t, dir, "amd64")
	return newBuilderIn(t, t.TempDir()), dir
}

func newBuilderIn(t testing.TB, cache string) *Builder {
	t.Helper()
	s, err := store.Open(cache, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	carried := func(text string) func(string) (blob.Blob, error) {
		program := blob.String(strings.Repeat(text, 1000))
		return func(string) (blob.Blob, error) { return program, nil }
	}
	return &Builder{Store: s, Images: fetch.New(s, fetch.Options{}), Init: carried("the init "), Installer: carried("the installer ")}
}

func profile(t testing.TB, name, baseDir string, set ...string) *profiles.Profile {
	t.Helper()
	p, err := profiles.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(set, "base=dir:"+baseDir, "version=v1.2.3") {
		path, value, _ := strings.Cut(s, "=")
		if err := p.Set("test", path, value); err != nil {
			t.Fatal(err)
		}
	}
	p, err = profiles.Resolve(p)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lock(t testing.TB, b *Builder, p *profiles.Profile) *Plan {
	t.Helper()
	plan, err := b.Lock(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func build(t testing.TB, b *Builder, plan *Plan) *Artifact {
	t.Helper()
	a, err := b.Build(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// golden compares got with a file of testdata, or writes it with BOOTWRIGHT_UPDATE=1.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "testdata", name)
	if os.Getenv("BOOTWRIGHT_UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what came out; if that is meant, `make golden` and read the difference:\n%s", path, got)
	}
}

// TestGolden holds the plan and the extent map of every built-in profile: a review sees that something moved.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range profiles.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dir := newBuilder(t)
			a := build(t, b, lock(t, b, profile(t, name, dir)))
			plan := *a.Plan
			plan.Base.Source = ""
			text, err := json.MarshalIndent(plan, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "plans/"+name+".json", append(text, '\n'))
			golden(t, "maps/"+name+".txt", extentMap(t, a))
		})
	}
}

// extentMap is the layout of an artifact and the digest of each file.
func extentMap(t *testing.T, a *Artifact) []byte {
	t.Helper()
	var b bytes.Buffer
	for i, f := range a.Preview(nil).Result.Files {
		d, err := blob.Sum(t.Context(), a.Files[i].Blob)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s  %d bytes  %s\n", f.Name, f.Size, d)
		for _, e := range f.Extents {
			fmt.Fprintf(&b, "%10d %10d  %s\n", e.Offset, e.Size, e.Name)
		}
	}
	return b.Bytes()
}

// TestSavedPlan builds a plan that went through a file with another store, and gets the same bytes.
func TestSavedPlan(t *testing.T) {
	t.Parallel()
	for _, name := range profiles.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dir := newBuilder(t)
			first := build(t, b, lock(t, b, profile(t, name, dir, "epoch=1600000000")))
			text, err := json.Marshal(first.Preview([]result.Piece{{Name: "init", State: result.Builtin}}))
			if err != nil {
				t.Fatal(err)
			}
			if !IsPlan(text) || IsPlan([]byte("output: {kind: iso}")) {
				t.Error("IsPlan does not tell plans from profiles")
			}
			plan, err := LoadPlan("saved", text)
			if err != nil {
				t.Fatal(err)
			}
			if plan.Digest() != first.Plan.Digest() {
				t.Error("saving changed the plan's digest")
			}
			second := build(t, newBuilderIn(t, t.TempDir()), plan)
			for i, f := range first.Files {
				if at, err := blob.Equal(t.Context(), f.Blob, second.Files[i].Blob); err != nil || at >= 0 {
					t.Errorf("%s differs at byte %d (%v)", f.Name, at, err)
				}
			}
		})
	}
}

func TestPlanIdentity(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "iso", dir))
	moved := *plan
	moved.Base.Source = "dir:/elsewhere"
	moved.Inputs = append([]Input{}, plan.Inputs...)
	moved.Inputs[0].Source = "file:/elsewhere"
	if plan.Digest() != moved.Digest() {
		t.Error("the place of an input is part of the plan's digest")
	}
	other := *plan
	other.Cmdline += " quiet"
	if plan.Digest() == other.Digest() || plan.ID("disk") == other.ID("disk") || plan.ID("disk") == plan.ID("efi") {
		t.Error("identifiers do not depend on plan and name")
	}
	if id := plan.ID("disk"); id[6]>>4 != 8 || id[8]>>6 != 2 {
		t.Errorf("%x is not a UUID of version 8", id)
	}
	p := profile(t, "iso", dir, "epoch=2020-01-02T03:04:05Z")
	if got := lock(t, b, p).Epoch; got != 1577934245 {
		t.Errorf("epoch %d", got)
	}
}

// TestISOStoresNothingTwice: GRUB's kernel and initramfs, and what a machine installs from, are the sections of the UKI.
func TestISOStoresNothingTwice(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	iso := build(t, b, lock(t, b, profile(t, "iso", dir))).Files[0].Blob
	uki := build(t, b, lock(t, b, profile(t, "metal-uki", dir))).Files[0].Blob
	if extra := iso.Size() - uki.Size(); extra > 3<<20 {
		t.Errorf("the ISO has %d bytes more than the UKI in it", extra)
	}
	v, err := iso9660.Read(iso)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, base.Kernel))
	if err != nil {
		t.Fatal(err)
	}
	if at, err := blob.Equal(t.Context(), v.Tree.Get("boot/vmlinuz").Open(), blob.Bytes(want)); err != nil || at >= 0 {
		t.Errorf("/boot/vmlinuz differs from the base's at byte %d (%v)", at, err)
	}
	assets, err := bootassets.Read(v.Tree, bootassets.Folder+"/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if err := assets.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if strings.Contains(assets.Cmdline, cmdline.HaltIfInstalled) || !strings.Contains(assets.Cmdline, cmdline.Platform) {
		t.Errorf("installed with %s", assets.Cmdline)
	}
	if at, err := blob.Equal(t.Context(), v.Tree.Get("boot/initramfs.img").Open(), assets.Initramfs()); err != nil || at >= 0 {
		t.Errorf("the initramfs that is installed differs from the ISO's at byte %d (%v)", at, err)
	}
}

// TestInputsComeFromTheStore: a plan builds after its base is gone, if the store has what it needs.
func TestInputsComeFromTheStore(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "kernel", dir))
	kernel, err := os.Open(filepath.Join(dir, base.Kernel))
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	if _, err := b.Store.Put(t.Context(), "", -1, kernel); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	build(t, b, plan)
}

func TestKernelOfOnesOwn(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	path := filepath.Join(t.TempDir(), "vmlinuz")
	write := func(p []byte) *profiles.Profile {
		if err := os.WriteFile(path, p, 0o666); err != nil {
			t.Fatal(err)
		}
		return profile(t, "kernel", dir, "input.kernel.path="+path)
	}
	own := append(basetest.Kernel(basetest.Release), "more"...)
	a := build(t, b, lock(t, b, write(own)))
	if got, _ := blob.ReadAll(a.Files[0].Blob, 1<<20); !bytes.Equal(got, own) {
		t.Error("the profile's kernel is not in the artifact")
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"not a kernel":  {[]byte("#!/bin/sh\necho no kernel\n"), "not a Linux kernel"},
		"other release": {basetest.Kernel("6.6.6"), "vmlinuz: Linux 6.6.6"},
		"empty":         {nil, "not a Linux kernel"},
	} {
		if _, err := b.Lock(t.Context(), write(c.content)); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEFIProgramsOfOnesOwn: what could not boot is refused by name before anything is built.
func TestEFIProgramsOfOnesOwn(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	path := filepath.Join(t.TempDir(), "own.efi")
	changed := func(offset int, with ...byte) []byte {
		p := petest.Stub()
		copy(p[offset:], with)
		return p
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"not a program": {[]byte("#!/bin/sh\n"), "not a PE file"},
		"empty":         {nil, "not a PE file"},
		"truncated":     {petest.Stub()[:0x500], ""},
		"other machine": {changed(0x85, 0xaa), "wants amd64"}, // 0xaa64
		"a driver":      {changed(0x98+68, 11), "subsystem 11"},
		"no room":       {changed(0x1d8, bytes.Repeat([]byte{0xcc}, 0x228)...), "without room"},
	} {
		for _, field := range []string{"input.sdStub.path", "input.sdBoot.path"} {
			if name == "no room" && field != "input.sdStub.path" {
				continue
			}
			if err := os.WriteFile(path, c.content, 0o666); err != nil {
				t.Fatal(err)
			}
			plan, err := b.Lock(t.Context(), profile(t, "iso", dir, field+"="+path))
			if err == nil {
				_, err = b.Build(t.Context(), plan)
			}
			if report.KindOf(err) != report.Invalid || !strings.Contains(fmt.Sprint(err), path+": ") || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%s as %s: kind %v: %v", name, field, report.KindOf(err), err)
			}
		}
	}
}

func TestLockRefuses(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	empty := t.TempDir()
	noBase := profile(t, "iso", dir)
	noBase.Base = ""
	badKind := profile(t, "iso", dir)
	badKind.Output.Kind = "floppy"
	lacking := filepath.Join(t.TempDir(), "lacking")
	basetest.Write(t, lacking, "arm64")
	for name, c := range map[string]struct {
		p    *profiles.Profile
		kind report.Kind
		want string
	}{
		"no base":      {noBase, report.Invalid, "names no base"},
		"base missing": {profile(t, "iso", filepath.Join(empty, "none")), report.NotFound, "none"},
		"no manifest":  {profile(t, "iso", empty), report.NotFound, "manifest.json"},
		"other arch":   {profile(t, "iso", lacking), report.NotFound, "arm64"},
		"no such kind": {badKind, report.Unsupported, `unknown output kind "floppy"`},
		"no such file": {profile(t, "iso", dir, "input.sdBoot.path="+empty+"/x.efi"), report.NotFound, "x.efi"},
		"a folder":     {profile(t, "iso", dir, "input.sdBoot.path="+empty), report.Invalid, empty},
	} {
		if _, err := b.Lock(t.Context(), c.p); report.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: kind %v: %v", name, report.KindOf(err), err)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "iso", dir))
	change := func(f func(*Plan)) *Plan {
		p := *plan
		p.Inputs = append([]Input{}, plan.Inputs...)
		f(&p)
		return &p
	}
	other := blob.SumBytes([]byte("other"))
	for name, c := range map[string]struct {
		plan *Plan
		kind report.Kind
		want string
	}{
		"older recipe":   {change(func(p *Plan) { p.Recipe = 0 }), report.Unsupported, "recipe"},
		"other encoder":  {change(func(p *Plan) { p.Encoder = "zip" }), report.Unsupported, "compresses"},
		"other schema":   {change(func(p *Plan) { p.Plan = "v9" }), report.Unsupported, "v9"},
		"other init":     {change(func(p *Plan) { p.Inputs[len(p.Inputs)-2].Digest = other }), report.Unsupported, "init"},
		"other config":   {change(func(p *Plan) { p.Inputs[len(p.Inputs)-1].Digest = other }), report.Invalid, "another digest"},
		"config missing": {change(func(p *Plan) { p.Inputs = p.Inputs[:len(p.Inputs)-1] }), report.Invalid, "no input config"},
		"unknown part":   {change(func(p *Plan) { p.Inputs[0].Digest = other }), report.NotFound, string(other)},
		"no digest":      {change(func(p *Plan) { p.Inputs[0].Digest = "md5:1" }), report.Invalid, "md5:1"},
		"input missing":  {change(func(p *Plan) { p.Inputs = p.Inputs[1:] }), report.Invalid, base.Kernel},
		"input twice":    {change(func(p *Plan) { p.Inputs = append(p.Inputs, p.Inputs[0]) }), report.Invalid, "twice"},
		"epoch":          {change(func(p *Plan) { p.Epoch = -5 }), report.Invalid, "epoch"},
		"strange source": {change(func(p *Plan) { p.Inputs[0].Source = "ftp" }), report.Invalid, "ftp"},
		"a path":         {change(func(p *Plan) { p.Platform = "../../x" }), report.Invalid, `unknown platform "../../x"`},
		"a script":       {change(func(p *Plan) { p.Cmdline = "quiet\nboot" }), report.Invalid, "control character"},
		"two kinds":      {change(func(p *Plan) { p.Output.Kind = "uki"; p.Output.ISOOptions.Label = "" }), report.Invalid, "output for uki"},
		"base gone":      {change(func(p *Plan) { p.Base.Source = "dir:/none" }), report.NotFound, "/none"},
	} {
		if _, err := newBuilderIn(t, t.TempDir()).Build(t.Context(), c.plan); report.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: kind %v: %v", name, report.KindOf(err), err)
		}
	}
}

// TestChangedInput: a part that changed after the plan was made is named, and nothing is built from it.
func TestChangedInput(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "iso", dir))
	if err := os.WriteFile(filepath.Join(dir, base.Root), []byte("something else"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := newBuilderIn(t, t.TempDir()).Build(t.Context(), plan)
	if report.KindOf(err) != report.Invalid || !strings.Contains(fmt.Sprint(err), "changed") {
		t.Errorf("kind %v: %v", report.KindOf(err), err)
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	b, dir := newBuilder(t)
	plan := lock(t, b, profile(t, "iso", dir))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newBuilderIn(t, t.TempDir()).Build(ctx, plan); report.KindOf(err) != report.Canceled {
		t.Errorf("a cancelled build ends with %v", err)
	}
}
