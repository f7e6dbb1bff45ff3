package probe

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

const id = "5f0c6e1a-2b3d-4c4e-9f10-a1b2c3d4e5f6"

// made is a file of size bytes that a program made something of; FILE in args is the file.
func made(t *testing.T, size int64, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image")
	if size > 0 {
		if err := blob.WriteFile(t.Context(), file, blob.Zeros(size), blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "FILE", file)
	}
	oracle.Run(t, args[0], args[1:]...)
	return file
}

// probed is what Probe says of a file.
func probed(t *testing.T, file string) Result {
	t.Helper()
	f, err := blob.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Probe(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// blkid is what blkid says of a file, by key.
func blkid(t *testing.T, file string) map[string]string {
	t.Helper()
	out, _ := oracle.TryRun(t, "blkid", "-p", "-o", "export", file)
	said := map[string]string{}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), "=")
		said[key] = strings.ReplaceAll(value, `\ `, " ")
	}
	return said
}

// agree compares what Probe and blkid say.
func agree(t *testing.T, file, name string) Result {
	t.Helper()
	theirs := map[string]string{
		LUKS: "crypto_LUKS", LVM2: "LVM2_member", MDRAID: "linux_raid_member", ZFS: "zfs_member", Bluestore: "ceph_bluestore", GPT: "",
	}
	got, said := probed(t, file), blkid(t, file)
	kind, has := theirs[name]
	if !has {
		kind = name
	}
	uuid := said["UUID"]
	if name == GPT {
		uuid = said["PTUUID"]
	}
	label := said["LABEL"]
	if got.Name != name || said["TYPE"] != kind || got.Damaged != "" || got.Label != label || name != Bluestore && got.UUID != uuid {
		t.Errorf("got %+v; blkid says %v", got, said)
	}
	if block := said["BLOCK_SIZE"]; block != "" && strconv.Itoa(int(got.BlockSize)) != block {
		t.Errorf("blocks of %d; blkid says %s", got.BlockSize, block)
	}
	return got
}

// folder is one with a file, to make images of.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMade judges what the programs of the field make.
func TestMade(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		want string
		size int64
		fs   uint64 // bytes that it says it has; 0 is not compared
		args string
	}{
		"ext2":        {Ext2, 4 * mib, 4 * mib, "mke2fs -q -t ext2 -L old -U " + id + " FILE"},
		"ext3":        {Ext3, 16 * mib, 16 * mib, "mke2fs -q -t ext3 -L data FILE"},
		"ext4":        {Ext4, 16 * mib, 16 * mib, "mke2fs -q -t ext4 -L sixteen-letters- -b 4096 FILE"},
		"ext4 64bit":  {Ext4, 16 * mib, 16 * mib, "mke2fs -q -t ext4 -O 64bit,metadata_csum -b 1024 FILE"},
		"xfs":         {XFS, 320 * mib, 320 * mib, "mkfs.xfs -q -L STATE -m uuid=" + id + " FILE"},
		"xfs sectors": {XFS, 320 * mib, 320 * mib, "mkfs.xfs -q -s size=4096 FILE"},
		"xfs v4":      {XFS, 320 * mib, 320 * mib, "mkfs.xfs -q -m crc=0 -L old FILE"},
		"btrfs":       {Btrfs, 128 * mib, 128 * mib, "mkfs.btrfs -q -L pool FILE"},
		"swap":        {Swap, mib, mib - 4096, "mkswap -q -L swap -U " + id + " FILE"},
		"swap 64k":    {Swap, 4 * mib, 4*mib - 65536, "mkswap -q -p 65536 FILE"},
		"fat12":       {VFAT, mib, mib, "mkfs.fat -F 12 -n EFI -i 1234abcd FILE"},
		"fat16":       {VFAT, 32 * mib, 32 * mib, "mkfs.fat -F 16 FILE"},
		"fat32":       {VFAT, 64 * mib, 64 * mib, "mkfs.fat -F 32 -n LABEL FILE"},
		"fat32 4096":  {VFAT, 300 * mib, 300 * mib, "mkfs.fat -F 32 -S 4096 -n BIG FILE"},
		"squashfs":    {Squashfs, 0, 0, "mksquashfs DIR FILE -quiet -no-progress"},
		"erofs":       {EROFS, 0, 0, "mkfs.erofs -U " + id + " FILE DIR"},
		"iso9660":     {ISO9660, 0, 0, "xorriso -as mkisofs -quiet -V CIDATA -o FILE DIR"},
		"joliet":      {ISO9660, 0, 0, "xorriso -as mkisofs -quiet -J -R -V Mixed-Case -o FILE DIR"},
		"luks1":       {LUKS, 4 * mib, 0, "cryptsetup luksFormat -q --type luks1 --uuid " + id + " --pbkdf-force-iterations 1000 --key-file KEY FILE"},
		"luks2":       {LUKS, 32 * mib, 0, "cryptsetup luksFormat -q --type luks2 --label STATE --uuid " + id + " --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY FILE"},
		"gpt":         {GPT, 8 * mib, 8 * mib, "sgdisk -n 1:2048:4096 -U " + id + " FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(c.args)
			for i, a := range args {
				switch a {
				case "DIR":
					args[i] = folder(t)
				case "KEY":
					args[i] = filepath.Join(folder(t), "file")
				}
			}
			got := agree(t, made(t, c.size, args...), c.want)
			if c.fs != 0 && got.Size != c.fs {
				t.Errorf("%d bytes, want %d", got.Size, c.fs)
			}
		})
	}
}

// write puts pieces by their offsets into a disk of so many bytes.
func write(size int64, pieces map[int64][]byte) []byte {
	p := make([]byte, size)
	for off, piece := range pieces {
		copy(p[off:], piece)
	}
	return p
}

// numbers puts values of 2, 4 or 8 bytes by their offsets into n bytes.
func numbers(n int, order binary.ByteOrder, values map[int]any) []byte {
	p := make([]byte, n)
	for off, v := range values {
		switch v := v.(type) {
		case uint16:
			order.PutUint16(p[off:], v)
		case uint32:
			order.PutUint32(p[off:], v)
		case uint64:
			order.PutUint64(p[off:], v)
		case string:
			copy(p[off:], v)
		}
	}
	return p
}

// nvlist is a list as ZFS has it.
func nvlist(name string, guid uint64) []byte {
	p := append([]byte{1, 1, 0, 0}, make([]byte, 8)...)
	pair := func(key string, kind uint32, value []byte) {
		body := be.AppendUint32(nil, uint32(len(key)))
		body = append(body, key...)
		body = append(body, make([]byte, -len(key)&3)...)
		body = be.AppendUint32(be.AppendUint32(body, kind), 1)
		body = append(body, value...)
		p = be.AppendUint32(be.AppendUint32(p, uint32(8+len(body))), 64)
		p = append(p, body...)
	}
	pair("version", 8, be.AppendUint64(nil, 5000))
	text := append(be.AppendUint32(nil, uint32(len(name))), name...)
	pair("name", 9, append(text, make([]byte, -len(name)&3)...))
	pair("pool_guid", 8, be.AppendUint64(nil, guid))
	pair("guid", 8, be.AppendUint64(nil, guid+1))
	return append(p, make([]byte, 8)...)
}

// rings are uberblocks.
func rings() []byte {
	p := make([]byte, 128<<10)
	for off := 0; off < len(p); off += 1024 {
		le.PutUint64(p[off:], 0x00BAB10C)
		le.PutUint64(p[off+8:], 5000)
		le.PutUint64(p[off+16:], 7)
	}
	return p
}

// assembled are disks that only a kernel or a cluster makes, put together from their specifications.
func assembled() map[string][]byte {
	const mib = 1 << 20
	lvm := numbers(512, le, map[int]any{
		0: "LABELONE", 8: uint64(1), 20: uint32(32), 24: "LVM2 001", 32: "abcdefGHIJKLMNOPQRSTUVWXYZ012345", 64: uint64(4 * mib),
	})
	le.PutUint32(lvm[16:], lvmSum(lvm[20:]))
	md := func(sector uint64) []byte {
		p := numbers(256, le, map[int]any{
			0: uint32(0xA92B4EFC), 4: uint32(1), 16: "0123456789abcdef", 32: "host:0", 92: uint32(2), 136: uint64(4096), 144: sector,
		})
		sum := uint64(0)
		for off := 0; off < len(p); off += 4 {
			sum += uint64(le.Uint32(p[off:]))
		}
		le.PutUint32(p[216:], uint32(sum)+uint32(sum>>32))
		return p
	}
	md0 := numbers(4096, le, map[int]any{
		0: uint32(0xA92B4EFC), 8: uint32(90), 16: uint32(992), 20: uint32(0x11223344), 32: uint32(64), 52: uint32(0x55667788), 56: uint32(0x99aabbcc), 60: uint32(0xddeeff00),
	})
	const end = 4*mib/512 - 16
	return map[string][]byte{
		LVM2: write(4*mib, map[int64][]byte{512: lvm}), Bluestore: write(4*mib, map[int64][]byte{0: []byte("bluestore block device\n" + id + "\n")}),
		MDRAID: write(4*mib, map[int64][]byte{4096: md(8)}), MDRAID + " 1.1": write(4*mib, map[int64][]byte{0: md(0)}),
		MDRAID + " 1.0":  write(4*mib, map[int64][]byte{end * 512: md(end)}),
		MDRAID + " 0.90": write(4*mib, map[int64][]byte{4*mib - 65536: md0}),
		ZFS:              write(80*mib, map[int64][]byte{16 << 10: nvlist("tank", 1234567890123), 128 << 10: rings(), 272 << 10: nvlist("tank", 1234567890123), 384 << 10: rings()}),
	}
}

// TestAssembled judges them.
func TestAssembled(t *testing.T) {
	t.Parallel()
	for name, p := range assembled() {
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(name, " ")
			agree(t, oracle.File(t, blob.Bytes(p)), kind)
		})
	}
}
