package bootassets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

func write(t *testing.T, dir string, a *Assets) {
	t.Helper()
	files := map[string]blob.Blob{DescriptionFile: a.Text()}
	for name := range a.Digests {
		files[name] = a.File(name)
	}
	for name, b := range files {
		if err := blob.WriteFile(t.Context(), filepath.Join(dir, name), b, blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); report.KindOf(err) != report.NotFound {
		t.Errorf("an empty folder: %v", err)
	}
	files := map[string]blob.Blob{}
	for _, name := range []string{Kernel, Head, Root, Tail, SDBoot, Stub} {
		files[name] = blob.String(name)
	}
	made, err := New(t.Context(), Description{Version: "v1", Arch: "arm64"}, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, made)
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Verify(t.Context()); err != nil || a.ID("x") != made.ID("x") || a.ID("x") == a.ID("y") || len(a.ID("")) != 12 {
		t.Error(a.ID("x"), made.ID("x"), err)
	}
	if p, err := blob.ReadAll(a.Initramfs(), 1000); err != nil || string(p) != Head+Root+Tail {
		t.Errorf("%q, %v", p, err)
	}
	var medium tree.Tree
	made.AddTo(&medium)
	if a, err := Read(&medium, Folder+"/arm64"); err != nil || a.Verify(t.Context()) != nil || a.ID("x") != made.ID("x") {
		t.Errorf("from a medium: %v", err)
	}
	if _, err := Read(&medium, Folder+"/amd64"); report.KindOf(err) != report.NotFound {
		t.Errorf("a medium for another architecture: %v", err)
	}
	for name, c := range map[string]struct {
		spoil func() error
		want  string
	}{
		"no root": {func() error { return os.Remove(filepath.Join(dir, Root)) }, Root},
		"a path": {func() error {
			return os.WriteFile(filepath.Join(dir, DescriptionFile), []byte(`{"digests":{"../x":"sha256:0"}}`), 0o666)
		}, "../x"},
		"no list":     {func() error { return os.WriteFile(filepath.Join(dir, DescriptionFile), []byte(`{}`), 0o666) }, "have no " + Kernel},
		"not as JSON": {func() error { return os.WriteFile(filepath.Join(dir, DescriptionFile), []byte("x"), 0o666) }, DescriptionFile},
	} {
		write(t, dir, made)
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInstalled(t *testing.T) {
	d := Description{Cmdline: "a=1 talos.halt_if_installed=1 talos.environment=INSTALLER_META_BASE64=MHhhPXg= talos.environment=A=b talos.experimental.wipe=system b"}
	if got := d.Installed().Cmdline; got != "a=1 talos.environment=A=b b" {
		t.Error(got)
	}
}
