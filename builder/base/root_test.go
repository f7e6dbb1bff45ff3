package base

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base/debian/debtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func TestTables(t *testing.T) {
	t.Parallel()
	for _, s := range append(rootFiles(), certificates()) {
		for _, pattern := range s.files {
			if _, err := path.Match(pattern, "x"); err != nil || path.IsAbs(pattern) || s.pkg == "" {
				t.Errorf("package %q: pattern %q: %v", s.pkg, pattern, err)
			}
		}
	}
	seen := map[string]bool{}
	for _, c := range leftOut() {
		if c.name == "" || c.reason == "" || seen[c.name] {
			t.Errorf("class %q: no name, no reason, or twice", c.name)
		}
		seen[c.name] = true
		for _, keep := range c.keep {
			if classOf([]class{{out: c.out}}, "kernel/"+keep) < 0 {
				t.Errorf("class %q keeps %s, which it does not leave out", c.name, keep)
			}
		}
		for _, out := range c.out {
			if seen[out] {
				t.Errorf("class %q: %s is there twice", c.name, out)
			}
			seen[out] = true
		}
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	classes := leftOut()
	for p, want := range map[string]string{
		"kernel/fs/xfs/xfs.ko":                        "",
		"kernel/drivers/gpu/drm/drm.ko":               "",
		"kernel/drivers/gpu/drm/drm_kms_helper.ko":    "",
		"kernel/drivers/gpu/drm/virtio/virtio-gpu.ko": "",
		"kernel/drivers/gpu/drm/i915/i915.ko":         "graphics",
		"kernel/drivers/hid/usbhid/usbhid.ko":         "",
		"kernel/drivers/hid/hid-sony.ko":              "pointing and playing",
		"kernel/sound/soundcore.ko":                   "audio",
		"kernel/lib/test_bpf.ko":                      "self-tests",
		"updates/dkms/sound.ko":                       "",
	} {
		got := ""
		if i := classOf(classes, p); i >= 0 {
			got = classes[i].name
		}
		if got != want {
			t.Errorf("%s is left out as %q, want %q", p, got, want)
		}
	}
}

// rootPackages have a file for every pattern of the tables, none of them a program.
func rootPackages() []debtest.Package {
	var all []debtest.Package
	for _, s := range append(rootFiles(), certificates()) {
		files := &tree.Tree{}
		for _, pattern := range s.files {
			if strings.HasPrefix(pattern, "!") {
				continue
			}
			p := strings.ReplaceAll(pattern, "*", "x")
			if strings.HasSuffix(p, "/") {
				p += "file"
			}
			files.File(p, 0o644, blob.String("content of "+p+"\n\n"))
		}
		all = append(all, debtest.Package{Name: s.pkg, Files: files})
	}
	return all
}

func TestNewRoot(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	root, err := newRoot(debtest.Pool(t, rootPackages()...))
	if err != nil {
		t.Fatal(err)
	}
	if err := audit(root); err != nil {
		t.Error(err)
	}
	for _, p := range []string{"usr/sbin/mkfs.xfs", "usr/sbin/init", "usr/sbin/modprobe", "etc/passwd", "proc", "lib64"} {
		if root.Get(p) == nil {
			t.Errorf("no %s", p)
		}
	}
	bundle, err := blob.ReadAll(root.Get("etc/ssl/certs/ca-certificates.crt").Open(), 1000)
	if want := "content of usr/share/ca-certificates/mozilla/x.crt\n"; err != nil || string(bundle) != want {
		t.Errorf("the bundle is %q, %v; want %q", bundle, err, want)
	}
}

func TestNewRootRefuses(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	without := func(name, file string) []debtest.Package {
		all := rootPackages()
		for _, p := range all {
			if p.Name == name {
				p.Files.Remove(file)
			}
		}
		return all
	}
	if _, err := newRoot(debtest.Pool(t, without("xfsprogs", "usr/sbin/mkfs.xfs")...)); report.KindOf(err) != report.NotFound || !strings.Contains(err.Error(), "package xfsprogs 1.0 has no usr/sbin/mkfs.xfs") {
		t.Errorf("a package that lost a program: %v", err)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	program := blob.String("\x7fELF and so on")
	for name, test := range map[string]struct {
		node  tree.Node
		fault string // "" is fine
	}{
		"program":           {tree.Node{Path: "usr/bin/p", Mode: 0o755, Content: program}, ""},
		"placeholder":       {tree.Node{Path: "usr/sbin/init", Mode: 0o755}, ""},
		"text":              {tree.Node{Path: "etc/x", Mode: 0o644, Content: blob.String("#!/bin/sh")}, ""},
		"link":              {tree.Node{Path: "usr/x", Mode: fs.ModeSymlink | 0o777, Link: "../etc"}, ""},
		"setuid":            {tree.Node{Path: "usr/bin/su", Mode: fs.ModeSetuid | 0o755, Content: program}, "setuid"},
		"setgid":            {tree.Node{Path: "usr/bin/wall", Mode: fs.ModeSetgid | 0o755, Content: program}, "setuid"},
		"writable file":     {tree.Node{Path: "etc/x", Mode: 0o666}, "written by all"},
		"writable folder":   {tree.Node{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}, "written by all"},
		"somebody's":        {tree.Node{Path: "etc/x", Mode: 0o644, UID: 1000}, "not to root"},
		"script":            {tree.Node{Path: "usr/bin/x", Mode: 0o755, Content: blob.String("#!/bin/sh\n")}, "not machine code"},
		"shell":             {tree.Node{Path: "usr/bin/dash", Mode: 0o755, Content: program}, "shell"},
		"link for a shell":  {tree.Node{Path: "usr/bin/sh", Mode: fs.ModeSymlink | 0o777, Link: "p"}, "shell"},
		"dangling link":     {tree.Node{Path: "usr/x", Mode: fs.ModeSymlink | 0o777, Link: "gone"}, "gone, which is not there"},
		"device":            {tree.Node{Path: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600}, "no file, folder or link"},
		"folder called apt": {tree.Node{Path: "etc/apt", Mode: fs.ModeDir | 0o755}, ""},
	} {
		root := &tree.Tree{}
		root.Dir("etc", 0o755)
		if err := root.Add(test.node); err != nil {
			t.Fatal(err)
		}
		err := audit(root)
		switch {
		case test.fault == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.node.Path+" ") || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%s: %v, want %q", name, err, test.fault)
		}
	}
}
