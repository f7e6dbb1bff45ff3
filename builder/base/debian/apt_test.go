package debian_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/builder/base/debian/debtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func files(name string) *tree.Tree {
	t := &tree.Tree{}
	t.File("usr/share/doc/"+name+"/copyright", 0o644, blob.String(name))
	return t
}

// program depends on two libraries, one of them by way of the other, and on a script language that it does not link.
func program() []debtest.Package {
	return []debtest.Package{
		{Name: "program", Version: "2:1.5-1", Fields: "Depends: liba (>= 1), python3\nSection: admin\nSource: source (1.5)\n", Files: files("program")},
		{Name: "liba", Fields: "Pre-Depends: libb | libother\nSection: non-free/libs\n", Files: files("liba")},
		{Name: "libb", Fields: "Depends: liba, virtual\nSection: libs\n", Files: files("libb")},
		{Name: "python3", Fields: "Depends: libhuge\nSection: python\n", Files: files("python3")},
		{Name: "libhuge", Fields: "Section: libs\n", Files: files("libhuge")},
	}
}

func needApt(t *testing.T) {
	t.Helper()
	oracle.Need(t, "apt-get")
	oracle.Need(t, "dpkg-deb")
}

func open(t *testing.T, o debian.Options) (*debian.Archive, error) {
	t.Helper()
	if o.Arch == "" {
		o.Arch = "amd64"
	}
	a, err := debian.Open(t.Context(), o)
	if err == nil {
		t.Cleanup(func() { a.Close() })
	}
	return a, err
}

func TestArchive(t *testing.T) {
	t.Parallel()
	needApt(t)
	o := debian.Options{Cache: t.TempDir(), Sources: debtest.Repository(t, "Anybody", program()...)}
	a, err := open(t, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	found, err := a.Find(ctx, "program")
	if err != nil {
		t.Fatal(err)
	}
	if p := found[0]; p.Version != "2:1.5-1" || p.Source != "source" || p.SourceVersion != "1.5" {
		t.Errorf("found %+v", p)
	}
	libs, err := a.Libraries(ctx, found)
	if err != nil || len(libs) != 2 || libs[0].Name != "liba" || libs[1].Name != "libb" {
		t.Fatalf("libraries %v, %v; want liba and libb", libs, err)
	}
	all := append(found, libs...)
	paths, err := a.Fetch(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	f, err := debian.Unpack(ctx, all[0], paths[0], t.TempDir())
	if err != nil || f.Tree.Get("usr/share/doc/program/copyright") == nil {
		t.Errorf("unpacked %v, %v", f, err)
	}
	f.Close()
	a.Close()

	// The mirror goes away: what was fetched is enough, and a damaged package is noticed.
	if err := os.RemoveAll(filepath.Dir(o.Sources) + "/program.deb"); err != nil {
		t.Fatal(err)
	}
	o.Offline = true
	if a, err = open(t, o); err != nil {
		t.Fatal(err)
	}
	if again, err := a.Fetch(ctx, all); err != nil || again[2] != paths[2] {
		t.Errorf("a second fetch gave %q, %v", again, err)
	}
	if err := os.WriteFile(paths[1], []byte("poison"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = a.Fetch(ctx, all)
	if report.KindOf(err) != report.NotFound || !strings.Contains(err.Error(), "liba") {
		t.Errorf("a damaged package offline: %v", err)
	}
	a.Close()
	o.Offline = false
	if a, err = open(t, o); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(ctx, all); err != nil {
		t.Errorf("a damaged package was not fetched again: %v", err)
	}
	if _, err := debian.Unpack(ctx, all[1], paths[1], t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestArchiveOfAnotherArchitecture(t *testing.T) {
	t.Parallel()
	needApt(t)
	sources := debtest.Repository(t, "Debian", debtest.Package{Name: "tool", Arch: "arm64", Files: files("tool")}, debtest.Package{Name: "tool", Files: files("tool")})
	for _, arch := range []string{"amd64", "arm64"} {
		a, err := open(t, debian.Options{Arch: arch, Cache: t.TempDir(), Sources: sources})
		if err != nil {
			t.Fatal(err)
		}
		found, err := a.Find(t.Context(), "tool")
		if err != nil || found[0].Arch != arch {
			t.Errorf("%s: found %+v, %v", arch, found, err)
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	t.Parallel()
	needApt(t)
	sources := debtest.Repository(t, "Debian", debtest.Package{Name: "tool", Files: files("tool")})
	folder := t.TempDir()
	dead := filepath.Join(folder, "dead.list")
	if err := os.WriteFile(dead, []byte("deb [trusted=yes] file:"+filepath.Join(folder, "nowhere")+" ./\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		o    debian.Options
		kind report.Kind
		says string
	}{
		"no mirror":            {debian.Options{Cache: t.TempDir(), Sources: dead}, report.Unavailable, "nowhere"},
		"offline and no index": {debian.Options{Cache: t.TempDir(), Sources: sources, Offline: true}, report.NotFound, "package index"},
		"no sources":           {debian.Options{Cache: t.TempDir(), Sources: folder + "/gone"}, report.NotFound, "gone"},
		"sources are a folder": {debian.Options{Cache: t.TempDir(), Sources: folder}, report.Invalid, folder},
		"cache is a file":      {debian.Options{Cache: file, Sources: sources}, report.Invalid, file},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, test.o)
			if report.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error of kind %v: %v; want %v with %q", report.KindOf(err), err, test.kind, test.says)
			}
		})
	}
	a, err := open(t, debian.Options{Cache: t.TempDir(), Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Find(t.Context(), "tool", "no-such-package")
	if report.KindOf(err) != report.NotFound || !strings.Contains(err.Error(), "no package no-such-package for amd64") {
		t.Errorf("a missing package: %v", err)
	}
	found, err := a.Find(t.Context(), "tool")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(sources), "tool.deb"), []byte("other bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), found); report.KindOf(err) != report.Unavailable {
		t.Errorf("a mirror with other bytes than its index says: %v", err)
	}
}

// TestArchiveTakesDebianOnly gives a machine two archives, of which the stranger's has the higher version.
func TestArchiveTakesDebianOnly(t *testing.T) {
	needApt(t)
	conf := func(sources ...string) {
		parts := t.TempDir()
		for i, s := range sources {
			text, err := os.ReadFile(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(parts, fmt.Sprint(i, ".list")), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		name := filepath.Join(t.TempDir(), "apt.conf")
		if err := os.WriteFile(name, []byte(fmt.Sprintf("Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts %q;\n", parts)), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("APT_CONFIG", name)
	}
	ours := debtest.Repository(t, "Debian", debtest.Package{Name: "tool", Files: files("tool")})
	other := debtest.Repository(t, "Stranger", debtest.Package{Name: "tool", Version: "99", Files: files("tool")})
	cache := t.TempDir()
	conf(other)
	if _, err := open(t, debian.Options{Cache: cache}); report.KindOf(err) != report.NotFound || report.HintOf(err) == "" {
		t.Errorf("a machine without Debian's archive: %v", err)
	}
	conf(ours, other)
	a, err := open(t, debian.Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := a.Find(t.Context(), "tool"); err != nil || found[0].Version != "1.0" {
		t.Errorf("found %+v, %v; want Debian's 1.0", found, err)
	}
	a.Close()

	gone := filepath.Dir(other)
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, debian.Options{Cache: cache}); err != nil {
		t.Errorf("a stranger's dead archive stops us: %v", err)
	}
}

func TestOpenWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	needApt(t)
	o := debian.Options{Arch: "amd64", Cache: t.TempDir(), Sources: debtest.Repository(t, "Debian", debtest.Package{Name: "tool", Files: files("tool")})}
	a, err := open(t, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := debian.Open(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opened a cache that is in use: %v", err)
	}
	a.Close()
	if _, err := open(t, o); err != nil {
		t.Error(err)
	}
}
