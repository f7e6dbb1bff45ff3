package kernel

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Replacing changes files as a whole.
type Replacing interface {
	// ReplaceFile puts a file with data and mode in the place of what is at name below the folder root, and makes the
	// folders to it. Whoever reads it, after a power failure too, finds the old content or the new. Symbolic links on the way
	// that lead out of root are refused; one at the end is replaced.
	ReplaceFile(root, name string, data []byte, mode fs.FileMode) error
	// Rename gives a file or a folder another name in the same file system, which nothing but a file may have.
	Rename(from, to string) error
	// RemoveAll removes what is there, with all that is in it; nothing is no error.
	RemoveAll(name string) error
	// Unmount takes away what is mounted at target, at once for who opens it from now on.
	Unmount(target string) error
	// Chmod changes the permissions of a file, and Chown whose it is; -1 leaves user or group as it is.
	Chmod(name string, mode fs.FileMode) error
	Chown(name string, user, group int) error
}

// Replace is ReplaceFile on the file system of this process.
func Replace(dir, name string, data []byte, mode fs.FileMode) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	folder := path.Dir(name)
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	beside := path.Join(folder, "."+path.Base(name)+".new")
	err = write(root, beside, data, mode)
	if err == nil {
		err = root.Rename(beside, name)
	}
	if err != nil {
		return errors.Join(err, ignore(root.Remove(beside), fs.ErrNotExist))
	}
	return flush(root, folder)
}

// write makes the file name anew, and waits until it is on the disk.
func write(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if err := ignore(root.Remove(name), fs.ErrNotExist); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

func flush(root *os.Root, folder string) error {
	d, err := root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}
