package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
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
	if err := f.read(ctx); err != nil {
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
	cmd.Stdout, cmd.Stderr = out, &complaints
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return report.Errorf(report.Invalid, "dpkg-deb cannot read %s: %w: %s", filepath.Base(path), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return out.Close()
}

// read adds the members of the tar archive to the Tree.
func (f *Files) read(ctx context.Context) error {
	r := blob.Reader(f.data)
	members := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := members.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return report.Errorf(report.Invalid, "data archive: %w", err)
		}
		at, err := r.Seek(0, io.SeekCurrent) // the tar reader takes whole headers and nothing more
		if err != nil {
			return err
		}
		if err := f.add(h, at); err != nil {
			return report.Errorf(report.Invalid, "member %q: %w", h.Name, err)
		}
	}
}

// add puts the member with header h, whose content is at the given offset, into the Tree.
func (f *Files) add(h *tar.Header, at int64) error {
	name, err := memberPath(h.Name)
	if err != nil {
		return err
	}
	if h.ModTime.After(f.Newest) {
		f.Newest = h.ModTime
	}
	n := tree.Node{Path: merged(name), Mode: h.FileInfo().Mode(), UID: uint32(h.Uid), GID: uint32(h.Gid), ModTime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeDir:
		if f.Tree.Get(n.Path) != nil {
			return nil // the root, or a folder that merging has made already
		}
	case tar.TypeReg:
		if h.Size > f.data.Size()-at {
			return fmt.Errorf("%d bytes at offset %d, behind the archive's end at %d", h.Size, at, f.data.Size())
		}
		n.Content = blob.Slice(f.data, at, h.Size)
	case tar.TypeSymlink:
		n.Mode = fs.ModeSymlink | 0o777
		n.Link, err = mergedLink(name, h.Linkname)
	case tar.TypeLink:
		err = f.hardLink(&n, h.Linkname)
	default:
		err = fmt.Errorf("a member of type %q has no place in a package", h.Typeflag)
	}
	if err != nil {
		return err
	}
	return f.Tree.Add(n)
}

// hardLink gives n the content of an earlier member.
func (f *Files) hardLink(n *tree.Node, to string) error {
	target, err := memberPath(to)
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	t := f.Tree.Get(merged(target))
	if t == nil || !t.Mode.IsRegular() {
		return fmt.Errorf("link to %s, which is no earlier file", to)
	}
	n.Mode, n.Content = t.Mode, t.Content
	return nil
}

// memberPath is the name of a tar member as a path in a Tree.
func memberPath(name string) (string, error) {
	p := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "./" || name == "." {
		p = "."
	}
	return p, tree.CheckPath(p)
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
