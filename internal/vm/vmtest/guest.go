package vmtest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// AddPrograms adds programs of this computer to files, with the libraries that they need: for machines whose first program is a
// script, which shows what others than bootwright's init see and do there.
func AddPrograms(t testing.TB, files *tree.Tree, names ...string) {
	t.Helper()
	for _, name := range names {
		program := oracle.Need(t, name)
		for _, path := range append(Libraries(t, program), program) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files.File("usr/"+strings.TrimPrefix(strings.TrimPrefix(path, "/"), "usr/"), 0o755, blob.Bytes(text))
		}
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		files.Symlink(name, "usr/"+name)
	}
}

// Libraries are the paths of the libraries that a program of this computer loads.
func Libraries(t testing.TB, program string) []string {
	t.Helper()
	return regexp.MustCompile(`/\S+`).FindAllString(oracle.Run(t, "ldd", program), -1)
}

// AddFiles writes an initramfs with files behind what it has to the file out.
func AddFiles(t testing.TB, initramfs string, files *tree.Tree, out string) {
	t.Helper()
	archive, err := cpio.Format(files, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := blob.OpenFile(initramfs)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	const unit = 4 // an archive begins at a multiple of it
	whole := blob.Concat(blob.Extent{Name: "initramfs", Blob: first}, blob.Extent{Name: "fill", Blob: blob.Bytes(make([]byte, -first.Size()&(unit-1)))},
		blob.Extent{Name: "files", Blob: archive})
	if err := blob.WriteFile(t.Context(), out, whole, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}
