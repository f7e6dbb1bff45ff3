package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Folder is a file system that a boot loader reads, mounted. Names are relative, with slashes.
type Folder interface {
	List(dir string) ([]File, error)                                 // what is in a folder, by name; nothing where there is none
	Read(name string) ([]byte, error)                                // fs.ErrNotExist where there is none
	Write(ctx context.Context, name string, content blob.Blob) error // a new file with its folders; it is on the disk on return
	Overwrite(name string, at int64, p []byte) error                 // a part of a file, where it lies; it is on the disk on return
	Rename(from, to string) error                                    // of a file; replaces to; it is on the disk on return
	Remove(name string) error                                        // a file, or a folder with all in it
	Free() (int64, error)                                            // bytes
}

// File is an entry of a folder.
type File struct {
	Name string
	Size int64 // of a folder: of all in it
}

// Dir is the folder at a path of the machine.
type Dir string

func (d Dir) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

// List follows Folder.
func (d Dir) List(dir string) ([]File, error) {
	entries, err := os.ReadDir(d.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []File
	for _, e := range entries {
		f := File{Name: e.Name()}
		err := filepath.WalkDir(filepath.Join(d.path(dir), e.Name()), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			st, err := e.Info()
			if err == nil {
				f.Size += st.Size()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, err
}

// maxRead bounds what Read reads, in bytes: menus, boot loaders, machine configurations and the archives of these.
const maxRead = configarea.MaxSize + 1<<20

// Read follows Folder.
func (d Dir) Read(name string) ([]byte, error) {
	f, err := blob.OpenFile(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return blob.ReadAll(f, maxRead)
}

// Write follows Folder.
func (d Dir) Write(ctx context.Context, name string, content blob.Blob) (err error) {
	path := d.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, min(piece, content.Size()))
	for at := int64(0); at < content.Size(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(piece, content.Size()-at)]
		if err := blob.ReadFull(content, p, at); err != nil {
			return err
		}
		if _, err := f.Write(p); err != nil {
			return err
		}
		at += int64(len(p))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	// Folders that were made are on the disk when those are that they are in.
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := syncPath(dir); err != nil || dir == filepath.Clean(string(d)) {
			return err
		}
	}
}

// Overwrite follows Folder.
func (d Dir) Overwrite(name string, at int64, p []byte) (err error) {
	f, err := os.OpenFile(d.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(p, at); err != nil {
		return err
	}
	return f.Sync()
}

// Rename follows Folder. On FAT nothing makes it one step: the new name first is of a file without content, and what it is goes to the disk
// with the file alone; the clusters of a file that is replaced are free at once, whichever of the two its name still has. So the replaced file
// is held until all is on the disk, and what is behind a power cut is
//
//   - where to was there before: to, old or new; what was in from may be lost;
//   - where it was not: from, or to, or both names of one and the same content.
func (d Dir) Rename(from, to string) (err error) {
	old, err := os.Open(d.path(to))
	replaces := err == nil
	if replaces {
		defer func() { err = errors.Join(err, old.Close()) }()
	}
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	file, dir := d.path(to), filepath.Dir(d.path(to))
	if replaces {
		return errors.Join(syncPath(dir), syncPath(file))
	}
	return errors.Join(syncPath(file), syncPath(dir))
}

// Remove follows Folder.
func (d Dir) Remove(name string) error {
	if err := os.RemoveAll(d.path(name)); err != nil {
		return err
	}
	return syncPath(filepath.Dir(d.path(name)))
}

// Free follows Folder.
func (d Dir) Free() (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(string(d), &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: string(d), Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
