// Package vmdk writes VMware's disk images (Virtual Disk Format 5.0): the stream-optimized one that an OVA holds, compressed
// and written in one pass, and the descriptor of a flat one, which is the disk as it is. It reads sparse images in one file,
// stream-optimized and not.
//
// Left out: writing sparse images that can be written to; disks in several pieces; chains of snapshots; ESX's own sparse
// formats (COWD, SESparse); in reading, the second grain directory, which repairs damage to the first, and markers of tables.
package vmdk

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/inorder"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	sector       = 512
	grainSectors = 128
	grainSize    = grainSectors * sector
	perTable     = 512 // entries of a grain table
	descriptorAt = 1   // in sectors
	overhead     = 128 // sectors before the first grain
	tableSectors = perTable * 4 / sector
	batch        = 32 // grains that are compressed as one piece of work, 2 MiB
	maxDisk      = 62 << 40
)

// Encoder names all that Stream's output depends on besides its arguments.
const Encoder = "vmdk 1, klauspost/compress v1.20.3"

// Options are for both kinds of image.
type Options struct {
	ID uint32 // of the content; not 0xffffffff, which stands for none
}

// Stream writes disk to w as a stream-optimized image. It reads what is not known to be zero, and leaves out grains of 64 KiB
// that turn out to be. Memory is bounded; the same disk and Options give the same bytes.
func Stream(ctx context.Context, w io.Writer, disk blob.Blob, o Options) error {
	if disk.Size()%sector != 0 || disk.Size() > maxDisk {
		return report.Errorf(report.Invalid, "vmdk: a disk of %d bytes; it must be whole sectors of 512, and at most %d", disk.Size(), int64(maxDisk))
	}
	s := &stream{w: w, disk: disk, options: o}
	if err := s.write(pad(append(s.header(gdAtEnd), s.descriptor()...), overhead*sector)); err != nil {
		return err
	}
	batches := s.batches()
	err := inorder.Run(ctx, len(batches), func(ctx context.Context, i int) ([]grain, error) {
		return s.compress(ctx, batches[i])
	}, s.put)
	if err != nil {
		return err
	}
	return s.finish()
}

// stream is an image that is being written.
type stream struct {
	w       io.Writer
	disk    blob.Blob
	options Options
	at      int64 // the next sector

	table     [perTable]uint32 // the grain table that is being filled
	tableOf   int64            // which one that is
	used      bool             // whether it has an entry
	directory []uint32
}

// grain is 64 KiB of the disk, compressed with its marker before it and padding behind.
type grain struct {
	number int64
	data   []byte
}

// batches are the numbers of the grains that may hold something.
func (s *stream) batches() [][]int64 {
	var out [][]int64
	next := int64(0)
	for _, e := range blob.Map(s.disk) {
		for g := max(next, e.Offset/grainSize); g*grainSize < e.End(); g++ {
			if n := len(out); n == 0 || len(out[n-1]) == batch {
				out = append(out, make([]int64, 0, batch))
			}
			out[len(out)-1] = append(out[len(out)-1], g)
			next = g + 1
		}
	}
	return out
}

// compress reads and compresses grains, without those of zeros.
func (s *stream) compress(ctx context.Context, numbers []int64) ([]grain, error) {
	var out []grain
	plain := make([]byte, grainSize)
	for _, n := range numbers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		clear(plain)
		if err := blob.ReadFull(s.disk, plain[:min(grainSize, s.disk.Size()-n*grainSize)], n*grainSize); err != nil {
			return nil, err
		}
		if len(bytes.TrimLeft(plain, "\x00")) == 0 {
			continue
		}
		b := bytes.NewBuffer(make([]byte, 12, grainSize/2)) // room for the marker
		z, err := zlib.NewWriterLevel(b, zlib.DefaultCompression)
		if err != nil {
			return nil, err
		}
		z.Write(plain) // into memory
		z.Close()
		data := b.Bytes()
		binary.LittleEndian.PutUint64(data, uint64(n*grainSectors))
		binary.LittleEndian.PutUint32(data[8:], uint32(len(data)-12))
		out = append(out, grain{n, pad(data, blob.Align(int64(len(data)), sector))})
	}
	return out, nil
}

// pad is p with zeros behind it, up to size.
func pad(p []byte, size int64) []byte { return append(p, make([]byte, size-int64(len(p)))...) }

// put writes grains and notes where they are.
func (s *stream) put(grains []grain) error {
	for _, g := range grains {
		if t := g.number / perTable; t != s.tableOf {
			if err := s.endTable(t); err != nil {
				return err
			}
		}
		s.table[g.number%perTable], s.used = uint32(s.at), true
		if err := s.write(g.data); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) write(p []byte) error {
	s.at += int64(len(p)) / sector
	_, err := s.w.Write(p)
	return err
}

// Markers that are followed by something other than a grain.
const (
	endOfStream = iota
	grainTable
	grainDirectory
	footer
)

// marker is the sector before sectors of metadata.
func marker(kind, sectors uint32) []byte {
	p := make([]byte, sector)
	binary.LittleEndian.PutUint64(p, uint64(sectors))
	binary.LittleEndian.PutUint32(p[12:], kind)
	return p
}

// endTable writes the grain table, if it is not empty, and goes on to the one of number next.
func (s *stream) endTable(next int64) error {
	for int64(len(s.directory)) < next {
		s.directory = append(s.directory, 0)
	}
	if s.used {
		s.directory[s.tableOf] = uint32(s.at + 1)
		if err := s.write(append(marker(grainTable, tableSectors), words(s.table[:])...)); err != nil {
			return err
		}
	}
	s.table, s.used, s.tableOf = [perTable]uint32{}, false, next
	return nil
}

func words(v []uint32) []byte {
	p := make([]byte, 0, 4*len(v))
	for _, n := range v {
		p = binary.LittleEndian.AppendUint32(p, n)
	}
	return p
}

// finish writes the grain directory, the header again, which now can say where that is, and the end.
func (s *stream) finish() error {
	tables := (s.disk.Size() + grainSize*perTable - 1) / (grainSize * perTable)
	if err := s.endTable(max(tables, 1)); err != nil {
		return err
	}
	p := words(s.directory)
	p = pad(p, blob.Align(int64(len(p)), sector))
	at := s.at + 1
	for _, part := range [][]byte{
		marker(grainDirectory, uint32(len(p)/sector)), p, marker(footer, 1), s.header(uint64(at)), marker(endOfStream, 0),
	} {
		if err := s.write(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) header(directoryAt uint64) []byte {
	h := header{
		Magic:          [4]byte([]byte(magic)),
		Version:        3,
		Flags:          newlineTest | compressed | markers,
		Capacity:       uint64(s.disk.Size() / sector),
		Grain:          grainSectors,
		DescriptorAt:   descriptorAt,
		DescriptorSize: uint64(len(s.descriptor()) / sector),
		PerTable:       perTable,
		DirectoryAt:    directoryAt,
		Overhead:       overhead,
		Newlines:       [4]byte([]byte(newlines)),
		Compression:    deflate,
	}
	p, _ := binary.Append(nil, binary.LittleEndian, h) // all of its fields have sizes
	return pad(p, sector)
}

func (s *stream) descriptor() []byte {
	size := s.disk.Size()
	text := []byte(descriptor(s.options.ID, "streamOptimized", size, fmt.Sprintf(`RDONLY %d SPARSE "disk.vmdk"`, size/sector)))
	return pad(text, blob.Align(int64(len(text)), sector))
}
