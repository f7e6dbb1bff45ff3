package base

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base/debian/debtest"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "apt-get")
	oracle.Need(t, "dpkg-deb")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	meta := func(depends string) string {
		return debtest.Repository(t, "Debian", debtest.Package{Name: "linux-image-cloud-amd64", Fields: depends, Files: &tree.Tree{}})
	}
	for name, test := range map[string]struct {
		o    BuildOptions
		kind report.Kind
		says string
	}{
		"architecture":           {BuildOptions{Arch: "vax"}, report.Unsupported, `"vax"; there are amd64 and arm64`},
		"flavour":                {BuildOptions{Flavour: "vanilla"}, report.Unsupported, `"vanilla"; there are generic and cloud`},
		"working folder":         {BuildOptions{Cache: t.TempDir(), Work: file}, report.Invalid, file},
		"package cache":          {BuildOptions{Cache: file, Work: t.TempDir()}, report.Invalid, file},
		"no kernel":              {BuildOptions{Sources: debtest.Repository(t, "Debian", debtest.Package{Name: "other", Files: &tree.Tree{}})}, report.NotFound, "linux-image-cloud-amd64 for amd64"},
		"a kernel of nothing":    {BuildOptions{Sources: meta("")}, report.Invalid, "depends on no kernel"},
		"a kernel and no system": {BuildOptions{Sources: meta("Depends: linux-image-6.1\n")}, report.NotFound, "no package xfsprogs"},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.o
			if o.Arch == "" {
				o.Arch = "amd64"
			}
			if o.Flavour == "" {
				o.Flavour = "cloud"
			}
			if o.Cache == "" {
				o.Cache = t.TempDir()
			}
			if o.Work == "" {
				o.Work = t.TempDir()
			}
			b, err := Build(t.Context(), o)
			if report.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error of kind %v: %v; want %v with %q", report.KindOf(err), err, test.kind, test.says)
			}
			if left, _ := filepath.Glob(filepath.Join(o.Work, "*")); b != nil || o.Work != file && len(left) > 0 {
				t.Errorf("a failed build left %v and %q", b, left)
			}
		})
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(canceled, BuildOptions{Arch: "amd64", Cache: t.TempDir(), Sources: meta("")}); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled build: %v", err)
	}
}

func TestNewWorkSweeps(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	live, remove, err := newWork(t.Context(), parent)
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(parent, workPrefix+"123")
	if err := os.MkdirAll(filepath.Join(dead, "packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, removeOther, err := newWork(t.Context(), parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("a living build's folder: %v", err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dead build's folder: %v", err)
	}
	if err := errors.Join(remove(), removeOther()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
