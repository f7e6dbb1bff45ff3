package base

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// maxText is the most that is read of a small file of a package.
const maxText = 1 << 20

// newRoot is the root file system without kernel modules: what the tables list, and the libraries that it needs.
func newRoot(p *debian.Pool) (*tree.Tree, error) {
	t := &tree.Tree{}
	for _, at := range rootFolders() {
		t.Dir(at, 0o755)
	}
	for at, to := range rootLinks() {
		t.Symlink(at, to)
	}
	for at, text := range rootTexts() {
		t.File(at, 0o644, blob.String(text))
	}
	t.File("usr/sbin/init", 0o755, nil) // the init of the image mounts itself here
	var programs []string
	for _, s := range rootFiles() {
		paths, err := p.Match(s.pkg, s.files...)
		if err != nil {
			return nil, err
		}
		if err := p.Take(t, paths); err != nil {
			return nil, err
		}
		for _, at := range paths {
			if isELF(p.Tree.Get(at)) {
				programs = append(programs, at)
			}
		}
	}
	files, err := elf.Closure(p.Tree, programs, elf.Options{})
	if err != nil {
		return nil, err
	}
	if err := p.Take(t, files); err != nil {
		return nil, err
	}
	bundle, err := caBundle(p)
	if err != nil {
		return nil, err
	}
	t.File("etc/ssl/certs/ca-certificates.crt", 0o644, blob.Bytes(bundle))
	return t, nil
}

func isELF(n *tree.Node) bool {
	magic := make([]byte, len(elf.Magic))
	return n.Mode.IsRegular() && n.Size() > int64(len(magic)) && blob.ReadFull(n.Open(), magic, 0) == nil && string(magic) == elf.Magic
}

// caBundle is all certificates in one file, in the order of their names, as update-ca-certificates(8) would write it.
func caBundle(p *debian.Pool) ([]byte, error) {
	s := certificates()
	paths, err := p.Match(s.pkg, s.files...)
	if err != nil {
		return nil, err
	}
	var bundle []byte
	for _, at := range paths {
		b, err := p.File(s.pkg, at)
		if err != nil {
			return nil, err
		}
		text, err := blob.ReadAll(b, maxText)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		bundle = append(append(bundle, bytes.TrimSpace(text)...), '\n')
	}
	return bundle, nil
}

// audit refuses a root file system with a way in or up: setuid programs, files that all may write, programs of other
// than machine code (there is no shell to run them), links that lead nowhere. The mount points where links may lead later are
// exempt.
func audit(t *tree.Tree) error {
	var faults []string
	for _, n := range t.Nodes() {
		if fault := auditNode(t, n); fault != "" {
			faults = append(faults, n.Path+" "+fault)
		}
	}
	if len(faults) > 0 {
		return report.Errorf(report.Invalid, "root file system: %s", faults)
	}
	return nil
}

func auditNode(t *tree.Tree, n *tree.Node) string {
	shells := []string{"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg"}
	switch link := n.Mode&fs.ModeSymlink != 0; {
	case n.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return fmt.Sprintf("is setuid or setgid (%v)", n.Mode)
	case n.UID != 0 || n.GID != 0:
		return fmt.Sprintf("belongs to %d:%d, not to root", n.UID, n.GID)
	case !link && n.Mode.Perm()&0o002 != 0:
		return fmt.Sprintf("can be written by all (%v)", n.Mode)
	case n.Mode.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0:
		return fmt.Sprintf("is no file, folder or link (%v)", n.Mode)
	case slices.Contains(shells, n.Name()) && !n.Mode.IsDir():
		return "is a shell or a package manager"
	case link:
		if _, err := t.Resolve(n.Path); err != nil && n.Link != "../proc/self/mounts" {
			return fmt.Sprintf("is a link to %s, which is not there", n.Link)
		}
	case n.Mode.IsRegular() && n.Mode.Perm()&0o111 != 0 && n.Size() > 0 && !isELF(n):
		return "is a program, but not machine code"
	}
	return ""
}
