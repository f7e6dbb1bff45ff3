package gpt

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// FuzzRead feeds Read a disk with a fuzzed header and the fuzzed start of an array of entries, whose checksums it
// mends: else nothing behind them would ever be reached. What Read accepts must stay inside the disk.
func FuzzRead(f *testing.F) {
	for _, sector := range []int{512, 4096} {
		p := flat(f, mustFormat(f, []Partition{{Name: "a", Type: EFISystem(), Size: 4096}, {Name: "b", Type: LinuxFilesystem(), Size: 8192, Number: 9}}, Options{SectorSize: sector, Align: 4096}))
		f.Add(p[sector:][:headerSize], p[2*sector:][:10*entrySize], sector == 4096, true)
		f.Add(p[len(p)-sector:][:headerSize], p[2*sector:][:10*entrySize], sector == 4096, false)
	}
	f.Fuzz(func(t *testing.T, head, entries []byte, large, primary bool) {
		p, sector := make([]byte, 68<<10), 512
		if large {
			sector = 4096
		}
		copy(p, bootRecord(Options{SectorSize: sector}, int64(len(p))))
		at := sector
		if !primary {
			at = len(p) - sector
		}
		copy(p[2*sector:], entries)
		copy(p[at:][:sector], head)
		mendChecksums(p, p[at:][:sector], sector)
		table, err := Read(blob.Bytes(p))
		if err != nil {
			return
		}
		for _, q := range table.Partitions {
			if q.Size <= 0 || q.Start < table.FirstUsable || q.End() > table.EndUsable || q.End() > int64(len(p)) || q.Content.Size() != q.Size {
				t.Fatalf("partition %+v of %+v in %d bytes", q, table, len(p))
			}
		}
	})
}

// mendChecksums makes the header h of disk p vouch for itself and for the entries that it describes.
func mendChecksums(p, h []byte, sector int) {
	le := binary.LittleEndian
	at, n := le.Uint64(h[72:])*uint64(sector), uint64(le.Uint32(h[80:]))*uint64(le.Uint32(h[84:]))
	if at <= uint64(len(p)) && n <= uint64(len(p))-at {
		le.PutUint32(h[88:], crc32.ChecksumIEEE(p[at:][:n]))
	}
	if size := le.Uint32(h[12:]); size >= 20 && size <= uint32(len(h)) {
		clear(h[16:20])
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:size]))
	}
}

// FuzzFormat lays out random disks: what Format accepts Read gives back, from either table.
func FuzzFormat(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := Options{SectorSize: []int{0, 512, 4096}[r.IntN(3)], Align: []int64{0, 4096, 12288}[r.IntN(3)], Entries: []int{0, 128, 129, 1024}[r.IntN(4)], ActiveRecord: r.IntN(2) == 0}
		if r.IntN(4) == 0 {
			o.Size = r.Int64N(16*mib) &^ 4095
		}
		parts := make([]Partition, r.IntN(12))
		for i := range parts {
			parts[i] = Partition{Name: []string{"", "αx𝄞"}[r.IntN(2)], Type: LinuxFilesystem(), Size: r.Int64N(100) * 4096, Attributes: r.Uint64()}
			if r.IntN(5) == 0 {
				parts[i].Start, parts[i].Number = r.Int64N(2000)*4096, r.IntN(130)
			}
			if r.IntN(2) == 0 {
				parts[i].Content = blob.Zeros(r.Int64N(parts[i].Size + 2))
			}
		}
		im, err := Format(parts, o)
		if err != nil {
			return
		}
		head := flat(t, im)
		for _, backup := range []bool{false, true} {
			if backup {
				clear(head[:8192])
			}
			table, err := Read(blob.Bytes(head))
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Partitions) != len(parts) || table.RecoveredFromBackup != backup || table.BackupDamaged {
				t.Fatalf("%d of %d partitions; %+v", len(table.Partitions), len(parts), table)
			}
			if backup {
				continue
			}
			again, err := Format(table.Partitions, Options{SectorSize: table.SectorSize, Entries: o.Entries, DiskGUID: table.DiskGUID, Size: table.DiskSize, ActiveRecord: o.ActiveRecord})
			if err != nil {
				t.Fatal(err)
			}
			if at, _ := blob.Equal(t.Context(), again, im); at >= 0 {
				t.Fatalf("Format of what Read gave differs at %d", at)
			}
		}
	})
}
