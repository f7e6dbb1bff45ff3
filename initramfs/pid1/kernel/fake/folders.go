package fake

import "github.com/bootwright/bootwright/machine/install"

// Folder follows kernel.Folders.
func (m *Machine) Folder(dir string) install.Folder { return install.Dir(m.path(dir)) }
