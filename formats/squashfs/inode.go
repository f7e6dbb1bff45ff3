package squashfs

import (
	"io/fs"

	"github.com/bootwright/bootwright/formats/tree"
)

// Types of inodes; the extended ones come extended later.
const (
	basicFolder = iota + 1
	basicFile
	basicLink
	basicBlock
	basicChar
	basicFIFO
	basicSocket
	extended = 7
)

// kindOf is the type of the inode of a file of mode m, or 0 where squashfs has none.
func kindOf(m fs.FileMode) uint16 {
	switch m.Type() {
	case fs.ModeDir:
		return basicFolder
	case 0:
		return basicFile
	case fs.ModeSymlink:
		return basicLink
	case fs.ModeDevice:
		return basicBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		return basicChar
	case fs.ModeNamedPipe:
		return basicFIFO
	case fs.ModeSocket:
		return basicSocket
	}
	return 0
}

// What an inode has, by its type. After an inodeHead comes one of the others; after a file its block list, uint32 each, after a
// link its target, after an extended folder its index.
type (
	inodeHead struct {
		Type, Mode, UID, GID uint16
		ModTime, Number      uint32
	}
	folderInode struct {
		Block, Links uint32
		Size, Offset uint16
		Parent       uint32
	}
	extendedFolder struct {
		Links, Size, Block, Parent uint32
		Indexes, Offset            uint16
		Xattr                      uint32
	}
	fileInode    struct{ Start, Fragment, Within, Size uint32 }
	extendedFile struct {
		Start, Size, Sparse            uint64
		Links, Fragment, Within, Xattr uint32
	}
	linkInode   struct{ Links, Size uint32 }
	deviceInode struct{ Links, Device uint32 }
)

// A folder's listing is runs of entries, each run behind a head. The inodes of a run are in one metadata block.
type (
	runHead   struct{ Count, Start, Number uint32 } // Count is one less than the entries
	entryHead struct {
		Offset     uint16
		Delta      int16 // of the inode's number from the run's
		Type, Size uint16
	}
	// indexEntry is one of an extended folder, before the name that begins the run.
	indexEntry struct{ Index, Start, Size uint32 }
)

// Limits of a run.
const (
	maxRun   = 256 // entries
	maxDelta = 1<<15 - 1
)

// emptyListing is what the size of a folder counts for "." and "..", which are not in its listing.
const emptyListing = 3

// device is n's number as the kernel packs it (new_encode_dev).
func device(n *tree.Node) uint32 { return n.Minor&0xff | n.Major<<8 | n.Minor&^0xff<<12 }
