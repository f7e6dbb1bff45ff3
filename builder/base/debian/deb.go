package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Files are the files of one package.
type Files struct {
	Package Package
	Tree    *tree.Tree // as on a system with merged /usr: what was in bin, lib or sbin is below usr
	Newest  time.Time  // latest modification time of a member
	data    *blob.File // what the Tree's contents refer to
}

// Close releases the contents of the Tree.
func (f *Files) Close() error { return f.data.Close() }

// Unpack reads the files of the .deb at path into a new file in the folder spool, to which the Tree's contents refer.
// A member that leaves the tree is refused.
func Unpack(ctx context.Context, p Package, path, spool string) (*Files, error) {
	name := filepath.Join(spool, strings.TrimSuffix(p.fileName(), ".deb")+".tar")
	if err := decompress(ctx, path, name); err != nil {
		return nil, fmt.Errorf("package %s: %w", p.Name, err)
	}
	data, err := blob.OpenFile(name)
	if err != nil {
		return nil, err
	}
	f := &Files{Package: p, Tree: &tree.Tree{}, data: data}
	if err := f.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("package %s: %w", p.Name, err)
	}
	return f, nil
}

// decompress writes the data archive of the .deb at path, a tar archive, to the file called name.
func decompress(ctx context.Context, path, name string) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	var complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", path)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, &complaints, append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		reason, _, _ := strings.Cut(complaints.String(), "\n")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case strings.Contains(reason, "No space left on device"):
			return report.WithHint(report.Errorf(report.Unavailable, "no space left in %s", filepath.Dir(name)), "free some 700 MB there")
		}
		return report.Errorf(report.Invalid, "dpkg-deb cannot read %s: %w: %s", filepath.Base(path), err, reason)
	}
	return out.Close()
}

// read puts the files of the tar archive into the Tree.
func (f *Files) read() error {
	members, err := tar.ReadBlob(f.data, tar.ReadOptions{})
	if err != nil {
		return err
	}
	for _, n := range members.Nodes() {
		if n.ModTime.After(f.Newest) {
			f.Newest = n.ModTime
		}
		if err := f.add(*n); err != nil {
			return report.Errorf(report.Invalid, "member %s: %w", n.Path, err)
		}
	}
	return nil
}

func (f *Files) add(n tree.Node) (err error) {
	switch at := merged(n.Path); n.Mode.Type() {
	case fs.ModeDir:
		if f.Tree.Get(at) != nil {
			return nil // the root, or a folder that merging has made already
		}
	case fs.ModeSymlink:
		n.Link, err = mergedLink(n.Path, n.Link)
	case 0:
	default:
		err = fmt.Errorf("a file of type %v has no place in a package", n.Mode.Type())
	}
	if err != nil {
		return err
	}
	n.Path = merged(n.Path)
	return f.Tree.Add(n)
}

// merged is where the file at p lies on a system with merged /usr.
func merged(p string) string {
	switch top, _, _ := strings.Cut(p, "/"); top {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32":
		return "usr/" + p
	}
	return p
}

// mergedLink is the target of the symbolic link at p, which says target, once /usr is merged. Absolute targets are
// relative to the root of the system that the package is for, so only ".." can leave it.
func mergedLink(p, target string) (string, error) {
	switch {
	case target == "" || strings.ContainsRune(target, 0):
		return "", errors.New("link without a target")
	case path.IsAbs(target):
		return target, nil
	}
	to := path.Join(path.Dir(p), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return "", fmt.Errorf("link to %s, which leaves the tree", target)
	}
	if merged(p) == p && merged(to) == to {
		return target, nil
	}
	return filepath.Rel(path.Dir(merged(p)), merged(to))
}
