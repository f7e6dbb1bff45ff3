package tree

import "io/fs"

// The type bits of st_mode (inode(7)), which cpio, Rock Ridge and most Unix file systems store.
const (
	unixSocket  = 0o140000
	unixSymlink = 0o120000
	unixRegular = 0o100000
	unixBlock   = 0o060000
	unixDir     = 0o040000
	unixChar    = 0o020000
	unixFIFO    = 0o010000
	unixType    = 0o170000
	unixSetuid  = 0o4000
	unixSetgid  = 0o2000
	unixSticky  = 0o1000
)

// UnixMode is m as st_mode has it: 16 bits, type and permissions. A type that Unix does not know leaves the type bits 0.
func UnixMode(m fs.FileMode) uint32 {
	u := uint32(m.Perm())
	switch m.Type() {
	case 0:
		u |= unixRegular
	case fs.ModeDir:
		u |= unixDir
	case fs.ModeSymlink:
		u |= unixSymlink
	case fs.ModeDevice:
		u |= unixBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		u |= unixChar
	case fs.ModeNamedPipe:
		u |= unixFIFO
	case fs.ModeSocket:
		u |= unixSocket
	}
	if m&fs.ModeSetuid != 0 {
		u |= unixSetuid
	}
	if m&fs.ModeSetgid != 0 {
		u |= unixSetgid
	}
	if m&fs.ModeSticky != 0 {
		u |= unixSticky
	}
	return u
}

// FileMode is st_mode u as io/fs has it; bits above the 16 of st_mode are ignored. A type that Unix does not know is
// fs.ModeIrregular.
func FileMode(u uint32) fs.FileMode {
	m := fs.FileMode(u & 0o777)
	switch u & unixType {
	case unixRegular:
	case unixDir:
		m |= fs.ModeDir
	case unixSymlink:
		m |= fs.ModeSymlink
	case unixBlock:
		m |= fs.ModeDevice
	case unixChar:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unixFIFO:
		m |= fs.ModeNamedPipe
	case unixSocket:
		m |= fs.ModeSocket
	default:
		m |= fs.ModeIrregular
	}
	if u&unixSetuid != 0 {
		m |= fs.ModeSetuid
	}
	if u&unixSetgid != 0 {
		m |= fs.ModeSetgid
	}
	if u&unixSticky != 0 {
		m |= fs.ModeSticky
	}
	return m
}
