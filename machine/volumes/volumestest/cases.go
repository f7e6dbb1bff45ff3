// Package volumestest reads the table of layouts, machine/volumes/testdata: disks before, a configuration, and what becomes of
// them. The planner's tests read it, and those that do the same with a real kernel.
package volumestest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Case is one machine.
type Case struct {
	Name   string
	Disks  []byte // of volumes.ParseDescription
	Config []byte // nil is none
	Wipe   string // the kernel argument
	Meta   string // what META says encrypts STATE; empty is nothing
	Want   string

	path    string
	archive *txtar.Archive
}

// Cases are all in a folder.
func Cases(t testing.TB, dir string) (all []Case) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) < 20 {
		t.Fatal(dir, len(files), err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := Case{Name: strings.TrimSuffix(filepath.Base(file), ".txtar"), path: file, archive: a}
		for _, f := range a.Files {
			switch f.Name {
			case "disks.yaml":
				c.Disks = f.Data
			case "config.yaml":
				c.Config = f.Data
			case "wipe":
				c.Wipe = strings.TrimSpace(string(f.Data))
			case "meta":
				c.Meta = strings.TrimSpace(string(f.Data))
			case "want":
				c.Want = string(f.Data)
			default:
				t.Fatalf("%s: unknown file %s", file, f.Name)
			}
		}
		all = append(all, c)
	}
	return all
}

// Update makes got what is wanted, the last file of the case.
func (c Case) Update(t testing.TB, got string) {
	t.Helper()
	c.archive.Files[len(c.archive.Files)-1].Data = []byte(got)
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
