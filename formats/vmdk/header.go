package vmdk

// header is what a sparse image begins with, and the footer of one that was written in order. Offsets and sizes are in
// sectors.
type header struct {
	Magic          [4]byte
	Version        uint32
	Flags          uint32
	Capacity       uint64 // of the disk
	Grain          uint64
	DescriptorAt   uint64 // 0 for a piece of a disk
	DescriptorSize uint64
	PerTable       uint32 // entries of a grain table
	SecondAt       uint64 // a copy of the grain directory
	DirectoryAt    uint64
	Overhead       uint64 // before the first grain
	IsOpen         uint8  // was not shut down cleanly
	Newlines       [4]byte
	Compression    uint16
}

const (
	magic    = "KDMV"
	newlines = "\n \r\n" // what a transfer as text would change
	deflate  = 1
	gdAtEnd  = 1<<64 - 1 // as DirectoryAt: the footer knows
)

// Flags.
const (
	newlineTest  = 1 << 0
	zeroedGrains = 1 << 2
	compressed   = 1 << 16
	markers      = 1 << 17
)
