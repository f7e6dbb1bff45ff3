package debian

import (
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

const sha = "45457bcfc86c87585800b5656bdf2773b063a3bb95486b0e820d51e870491f8d"

func TestPackageOf(t *testing.T) {
	text := `Package: cryptsetup-bin
Source: cryptsetup (2:2.6.1-4)
Version: 2:2.6.1-4+b1
Architecture: amd64
Section: admin
Pre-Depends: debconf (>= 0.5) | debconf-2.0
Depends: libblkid1 (>= 2.24.2), libc6:any [amd64], libfoo <!nocheck>
Description: disk
 encryption
 .
 tools
SHA256: ` + sha + `
Size: 12

# a comment
Package: tiny
version: 1
Architecture: all
SHA256: ` + sha + `
Size: 0
`
	all := stanzas(text)
	if len(all) != 2 {
		t.Fatalf("%d stanzas, want 2", len(all))
	}
	p, err := packageOf(all[0])
	if err != nil {
		t.Fatal(err)
	}
	if p.fileName() != "cryptsetup-bin_2%3a2.6.1-4+b1_amd64.deb" || p.Source != "cryptsetup" || p.SourceVersion != "2:2.6.1-4" || p.Size != 12 || p.Section != "admin" {
		t.Errorf("read %+v", p)
	}
	if want := []string{"debconf", "libblkid1", "libc6", "libfoo"}; !slices.Equal(p.Depends, want) {
		t.Errorf("depends on %q, want %q", p.Depends, want)
	}
	if all[0]["description"] != "disk\nencryption\n.\ntools" {
		t.Errorf("description %q", all[0]["description"])
	}
	if p, err = packageOf(all[1]); err != nil || p.Source != "tiny" || p.SourceVersion != "1" {
		t.Errorf("read %+v, %v", p, err)
	}
}

func TestPackageOfRefuses(t *testing.T) {
	for name, f := range map[string]fields{
		"no digest": {"package": "x", "size": "1"},
		"no size":   {"package": "x", "sha256": sha},
		"no name":   {"size": "1", "sha256": sha},
		"a path":    {"package": "../x", "size": "1", "sha256": sha},
	} {
		if _, err := packageOf(f); report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLicenses(t *testing.T) {
	const format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
	for _, test := range []struct {
		text string
		want []string
	}{
		{"This package was debianized by hand.\nLicense: GPL-2\n", nil},
		{"", nil},
		{format + "Files: *\nLicense: GPL-2+\n text\n\nFiles: lib/*\nLicense: LGPL-2.1\n\nLicense: GPL-2+\n the text\n", []string{"GPL-2.0-or-later", "LGPL-2.1-only"}},
		{format + "Files: *\nLicense: Expat or GPL-3, and Apache-2.0\n", []string{"Apache-2.0", "GPL-3.0-only", "MIT"}},
		{format + "Files: *\nLicense: GPL-2+ with OpenSSL exception\n", []string{"GPL-2.0-or-later with OpenSSL exception"}},
	} {
		if got := Licenses(test.text); !slices.Equal(got, test.want) {
			t.Errorf("Licenses(%.80q) = %q, want %q", test.text, got, test.want)
		}
	}
}

func FuzzControl(f *testing.F) {
	f.Add("Package: a\nDepends: b (>= 1) | c, d:any\nFormat: copyright-format\n\nFiles: *\nLicense: GPL-2+ with x exception\n more\n")
	f.Add(" \n\t:\n#\n::\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range stanzas(text) {
			if p, err := packageOf(s); err == nil && strings.Contains(p.fileName(), "/") {
				t.Errorf("file name %q", p.fileName())
			}
			dependencies(s["depends"])
		}
		Licenses(text)
	})
}
