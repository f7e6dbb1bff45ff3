package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// FromDir is the tree of what is in dir: folders, regular files and symbolic links with their permissions. Owners and
// times are left out, so that who unpacked the folder, and when, does not show; so are extended attributes. Devices,
// sockets and pipes are refused. Files are opened when they are read, not before: thousands hold no descriptors. A
// file that changes after FromDir fails to be read.
func FromDir(dir string) (*Tree, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == root {
			if !d.IsDir() {
				return &fs.PathError{Op: "read", Path: dir, Err: syscall.ENOTDIR}
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		n, err := hostNode(name, d)
		if err != nil {
			return err
		}
		n.Path = filepath.ToSlash(rel)
		return t.Add(n)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func hostNode(name string, d fs.DirEntry) (Node, error) {
	info, err := d.Info()
	if err != nil {
		return Node{}, err
	}
	n := Node{Mode: info.Mode()}
	switch info.Mode().Type() {
	case 0:
		n.Content = &hostFile{name, info}
	case fs.ModeDir:
	case fs.ModeSymlink:
		n.Mode = fs.ModeSymlink | 0o777 // what Linux reports; others apply the umask
		n.Link, err = os.Readlink(name)
	default:
		err = &fs.PathError{Op: "read", Path: name, Err: report.Errorf(report.Unsupported, "is neither a file, a folder nor a symbolic link (%s)", info.Mode().Type())}
	}
	return n, err
}

// hostFile is a Blob that opens its file for each read.
type hostFile struct {
	name string
	info fs.FileInfo // when it was found
}

var _ blob.Blob = (*hostFile)(nil)

func (h *hostFile) Size() int64 { return h.info.Size() }

func (h *hostFile) ReadAt(p []byte, off int64) (int, error) {
	f, err := blob.OpenFile(h.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !os.SameFile(h.info, now) || now.Size() != h.info.Size() || !now.ModTime().Equal(h.info.ModTime()) {
		return 0, &fs.PathError{Op: "read", Path: h.name, Err: errors.New("changed since its folder was read; start again")}
	}
	return f.ReadAt(p, off)
}
