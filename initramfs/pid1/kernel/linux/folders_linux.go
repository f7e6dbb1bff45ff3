package linux

import "github.com/bootwright/bootwright/machine/install"

// Folder follows Folders.
func (Machine) Folder(dir string) install.Folder { return install.Dir(dir) }
