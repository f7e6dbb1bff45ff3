// Package exttest makes small extensions for tests.
package exttest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
)

// Release is the kernel release that Sound is for.
const Release = "6.1.0-1-test"

// Manifest is that of Sound.
const Manifest = `version: v1alpha1
metadata:
  name: hello
  version: 1.2.3
  author: somebody
  description: |
    Says hello.
  compatibility:
    talos:
      version: ">= v1.9.0"
`

// Service describes the service of Sound.
const Service = `name: hello
container:
  entrypoint: /hello
  args: [--port=80]
depends:
  - network: [addresses]
restart: always
`

// Sound is an extension for amd64 without a fault: a service with a static program, a program with a library, two kernel
// modules of which one needs the other and the module base_mod of the base, and firmware.
func Sound() *tree.Tree {
	t := &tree.Tree{}
	t.File("manifest.yaml", 0o644, blob.String(Manifest))
	t.File("rootfs/usr/local/etc/containers/hello.yaml", 0o644, blob.String(Service))
	t.File("rootfs/usr/local/lib/containers/hello/hello", 0o755, blob.Bytes(Program(elf.EM_X86_64, "")))
	t.Symlink("rootfs/usr/local/lib/containers/hello/bin", "/")
	t.File("rootfs/usr/local/bin/tool", 0o755, blob.Bytes(Program(elf.EM_X86_64, "/lib64/ld.so", "libtool.so.1", "libc.so.6")))
	t.File("rootfs/usr/local/lib/libtool.so.1", 0o644, blob.Bytes(Program(elf.EM_X86_64, "")))
	t.File("rootfs/etc/ld.so.conf", 0o644, blob.String("/usr/local/lib\n"))
	t.File("rootfs/usr/lib/firmware/dev.bin", 0o644, blob.Bytes(Program(elf.EM_XTENSA, "")))
	modules := "rootfs/usr/lib/modules/" + Release + "/extra/"
	t.File(modules+"a.ko", 0o644, blob.Bytes(Module(Release, elf.EM_X86_64, "depends=b,base-mod", "parmtype=depth:uint")))
	t.File(modules+"b.ko", 0o644, blob.Bytes(Module(Release, elf.EM_X86_64, "firmware=dev.bin")))
	return t
}

// Base is the root file system of a base that Sound fits.
func Base() *tree.Tree {
	t := &tree.Tree{}
	t.Symlink("lib", "usr/lib")
	t.Symlink("lib64", "usr/lib64")
	t.File("usr/lib64/ld.so", 0o755, blob.Bytes(Program(elf.EM_X86_64, "")))
	t.File("usr/lib64/libc.so.6", 0o755, blob.Bytes(Program(elf.EM_X86_64, "")))
	t.File("usr/lib/modules/"+Release+"/kernel/base_mod.ko", 0o644, blob.Bytes(Module(Release, elf.EM_X86_64)))
	return t
}

// New is an extension with nothing but a manifest.
func New(name, version string) *tree.Tree {
	t := &tree.Tree{}
	t.File("manifest.yaml", 0o644, blob.String("version: v1alpha1\nmetadata:\n  name: "+name+"\n  version: '"+version+"'\n"))
	t.Dir("rootfs", 0o755)
	return t
}

// Index is that of the kernel modules in the root file system t, which is for Release.
func Index(t *tree.Tree) (*kmod.Index, error) { return kmod.Scan(t, "usr/lib/modules/"+Release) }

// IntelMicrocode is an update for a processor of that signature (SDM volume 3, 10.11.1: header version 1, sums that are
// right) which holds nothing.
func IntelMicrocode(signature uint32) []byte {
	const size, header = 2048, 48
	p := make([]byte, size)
	le := binary.LittleEndian
	for i, v := range []uint32{1, 0x10, 0x01312026, signature, 0, 1, 1, size - header, size} {
		le.PutUint32(p[4*i:], v)
	}
	var sum uint32
	for i := 0; i < size; i += 4 {
		sum += le.Uint32(p[i:])
	}
	le.PutUint32(p[16:], -sum)
	return p
}

// AMDMicrocode is a container that lists no processor (struct container in arch/x86/kernel/cpu/microcode/amd.c).
func AMDMicrocode(note byte) []byte {
	p := make([]byte, 12+16)
	copy(p, "DMA\x00")
	p[8] = 16 // bytes of the table, which holds its last entry alone
	p[12+8] = note
	return p
}

// AMDUpdate is a container with an update of no instructions, called 0x0badcafe, for processors of signature (CPUID 1, EAX),
// which the container calls equivalent.
func AMDUpdate(signature uint32, equivalent uint16) []byte {
	type entry struct {
		Processor, Mask, Compare uint32
		Equivalent, _            uint16
	}
	type patch struct { // struct microcode_header_amd
		Data, ID  uint32
		_         [16]byte
		Processor uint16
		_         [6 + 32]byte
		_         [64]byte
	}
	table := []entry{{Processor: signature, Equivalent: equivalent}, {}}
	update := patch{Data: 0x20260101, ID: 0x0badcafe, Processor: equivalent}
	var b bytes.Buffer
	put(&b, []byte("DMA\x00"), uint32(0), uint32(binary.Size(table)), table, uint32(1), uint32(binary.Size(update)), update)
	return b.Bytes()
}

// Signature ends a module as signed ones end.
const Signature = "~Module signature appended~\n"

// Module is a kernel module that holds nothing but what .modinfo says; see formats/kmod.
func Module(release string, machine elf.Machine, fields ...string) []byte {
	info := strings.Join(append(fields, "vermagic="+release+" SMP "), "\x00") + "\x00"
	const names = "\x00.shstrtab\x00.modinfo\x00"
	const header, section = 64, 64
	const data = header + 3*section
	var b bytes.Buffer
	put(&b, elf.Header64{
		Ident: ident(), Type: uint16(elf.ET_REL), Machine: uint16(machine),
		Shoff: header, Ehsize: header, Shentsize: section, Shnum: 3, Shstrndx: 1,
	}, elf.Section64{}, elf.Section64{Name: 1, Off: data, Size: uint64(len(names))},
		elf.Section64{Name: 11, Off: data + uint64(len(names)), Size: uint64(len(info))})
	b.WriteString(names + info)
	return b.Bytes()
}

// Program is an ELF file that is linked to needed by the dynamic linker interp; without interp it is a library, or a
// program that is linked to nothing.
func Program(machine elf.Machine, interp string, needed ...string) []byte {
	return object(machine, interp, "", needed)
}

// Library is a library that others know as soname, and is linked to needed.
func Library(machine elf.Machine, soname string, needed ...string) []byte {
	return object(machine, "", soname, needed)
}

func object(machine elf.Machine, interp, soname string, needed []string) []byte {
	const header, segment, base = 64, 56, 0x10000
	var dynamic bytes.Buffer
	table := "\x00"
	name := func(tag elf.DynTag, n string) {
		put(&dynamic, elf.Dyn64{Tag: int64(tag), Val: uint64(len(table))})
		table += n + "\x00"
	}
	for _, n := range needed {
		name(elf.DT_NEEDED, n)
	}
	if soname != "" {
		name(elf.DT_SONAME, soname)
	}
	interpAt := uint64(header + 3*segment)
	tableAt := interpAt + uint64(len(interp)) + 1
	put(&dynamic, elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: base + tableAt},
		elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(len(table))}, elf.Dyn64{})
	dynamicAt := tableAt + uint64(len(table))
	end := dynamicAt + uint64(dynamic.Len())
	kind := elf.PT_INTERP
	if interp == "" {
		kind = elf.PT_NULL
	}
	var b bytes.Buffer
	put(&b, elf.Header64{Ident: ident(), Type: uint16(elf.ET_DYN), Machine: uint16(machine), Phoff: header, Phentsize: segment, Phnum: 3},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: base, Filesz: end},
		elf.Prog64{Type: uint32(kind), Off: interpAt, Filesz: uint64(len(interp)) + 1},
		elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: dynamicAt, Filesz: uint64(dynamic.Len())})
	b.WriteString(interp + "\x00" + table)
	b.Write(dynamic.Bytes())
	return b.Bytes()
}

func ident() [16]byte {
	return [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
}

// put writes values of fixed size, which a buffer always takes.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}
