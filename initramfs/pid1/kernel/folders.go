package kernel

import "github.com/bootwright/bootwright/machine/install"

// Folders gives file systems that a boot loader reads.
type Folders interface {
	// Folder is the one that is mounted at dir.
	Folder(dir string) install.Folder
}
