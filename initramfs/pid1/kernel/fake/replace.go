package fake

import (
	"io/fs"
	"os"
	"path"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// ReplaceFile follows kernel.Replacing, and so on. What was mounted over a file comes back when it is unmounted.
func (m *Machine) ReplaceFile(root, name string, data []byte, mode fs.FileMode) error {
	return m.clean(kernel.Replace(m.path(root), name, data, mode))
}

func (m *Machine) Rename(from, to string) error {
	return m.clean(os.Rename(m.path(from), m.path(to)))
}

func (m *Machine) RemoveAll(name string) error { return m.clean(os.RemoveAll(m.path(name))) }

func (m *Machine) Chmod(name string, mode fs.FileMode) error {
	return m.clean(os.Chmod(m.path(name), mode))
}

// Chown is kept in Owners: only root can do it.
func (m *Machine) Chown(name string, user, group int) error {
	if _, err := os.Stat(m.path(name)); err != nil {
		return m.clean(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Owners == nil {
		m.Owners = map[string][2]int{}
	}
	m.Owners[name] = [2]int{user, group}
	return nil
}

func (m *Machine) Unmount(target string) error {
	m.mu.Lock()
	below, mounted := m.below[target]
	delete(m.below, target)
	m.mu.Unlock()
	if !mounted {
		return &fs.PathError{Op: "unmount", Path: target, Err: fs.ErrInvalid}
	}
	return m.clean(kernel.Replace(m.root, target, below, 0o755))
}

// cover notes what a file holds that something is mounted over.
func (m *Machine) cover(target string) {
	content, err := m.ReadFile(target)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.below == nil {
		m.below = map[string][]byte{}
	}
	if _, mounted := m.below[path.Clean(target)]; !mounted {
		m.below[path.Clean(target)] = content
	}
}
