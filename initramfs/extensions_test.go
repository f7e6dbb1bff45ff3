package initramfs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/machine/extlayers"
)

func extensions() *Extensions {
	microcode, early := &tree.Tree{}, &tree.Tree{}
	microcode.File("kernel/x86/microcode/AuthenticAMD.bin", 0o444, blob.Bytes(exttest.AMDMicrocode(1)))
	microcode.File("kernel/x86/microcode/GenuineIntel.bin", 0o444, blob.Bytes(append(exttest.IntelMicrocode(0x50654), exttest.IntelMicrocode(0x106a5)...)))
	early.File("lib/firmware/early.bin", 0o444, blob.String("firmware"))
	e := &Extensions{Microcode: microcode, Early: early}
	for i, name := range []string{"b", "a"} {
		l := extlayers.Layer{Image: extlayers.ImageName(i, name), Metadata: extlayers.Metadata{Name: name, Version: "1"}}
		e.Layers = append(e.Layers, Layer{l, blob.String(strings.Repeat(name, 5000))})
	}
	return e
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	p := parts(t, 5000)
	p.Extensions = extensions()
	im, err := Compose(t.Context(), p, &memory{kept: map[string]blob.Blob{}})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, im)
	for name, want := range map[string]string{
		"000.b.sqsh": strings.Repeat("b", 5000), "001.a.sqsh": strings.Repeat("a", 5000), "rootfs.sqsh": strings.Repeat("R", 5000),
		"lib/firmware/early.bin": "firmware",
		"extensions.yaml":        "layers:\n- image: 000.b.sqsh\n  metadata:\n    name: b\n    version: '1'\n- image: 001.a.sqsh\n  metadata:\n    name: a\n    version: '1'\n",
	} {
		if files[name] != want {
			t.Errorf("%s is %.200q", name, files[name])
		}
	}
	for _, l := range p.Extensions.Layers {
		if at, ok := blob.Locate(im, l.Content); !ok || at%page != 0 {
			t.Errorf("%s lies at %d (%v), not on a page of its own", l.Image, at, ok)
		}
	}
}

// TestMicrocode looks for microcode as the kernel does before it has memory to unpack anything into.
func TestMicrocode(t *testing.T) {
	t.Parallel()
	p := parts(t, 5000)
	p.Extensions = extensions()
	im, err := Compose(t.Context(), p, &memory{kept: map[string]blob.Blob{}})
	if err != nil {
		t.Fatal(err)
	}
	image, err := blob.ReadAll(im, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(image, []byte("070701")) {
		t.Errorf("the image begins with %q", image[:8])
	}
	for _, n := range p.Extensions.Microcode.Nodes() {
		if !n.Mode.IsRegular() {
			continue
		}
		want, err := blob.ReadAll(n.Open(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		at := findEarly(image, n.Path)
		if at < 0 || at%16 != 0 || !bytes.HasPrefix(image[at:], want) {
			t.Errorf("%s: found at %d", n.Path, at)
		}
	}
	if findEarly(image, "init") >= 0 {
		t.Error("the early loader sees what is compressed")
	}
	file := filepath.Join(t.TempDir(), "initramfs")
	if err := os.WriteFile(file, image, 0o600); err != nil {
		t.Fatal(err)
	}
	said := string(oracle.Run(t, "iucode_tool", "-tr", "-l", file))
	for _, signature := range []string{"0x00050654", "0x000106a5"} {
		if !strings.Contains(said, signature) {
			t.Errorf("iucode_tool finds no update for %s:\n%s", signature, said)
		}
	}
}

// findEarly is find_cpio_data of lib/earlycpio.c: where the content of the file begins, or -1.
func findEarly(p []byte, name string) int {
	const header = 110
	for at := 0; at+header < len(p); {
		if p[at] == 0 {
			at += 4
			continue
		}
		if string(p[at:at+6]) != "070701" {
			return -1
		}
		field := func(i int) int {
			v, _ := strconv.ParseInt(string(p[at+6+8*i:][:8]), 16, 64)
			return int(v)
		}
		content := int(blob.Align(int64(at+header+field(11)), 4))
		if full := p[at+header:][:field(11)]; string(full[:slices.Index(full, 0)]) == name && field(1)&0o170000 == 0o100000 {
			return content
		}
		at = int(blob.Align(int64(content+field(6)), 4))
	}
	return -1
}

func TestNoExtensions(t *testing.T) {
	t.Parallel()
	for _, e := range []*Extensions{nil, {}} {
		p := parts(t, 10)
		p.Extensions = e
		im, err := Compose(t.Context(), p, &memory{kept: map[string]blob.Blob{}})
		if err != nil {
			t.Fatal(err)
		}
		if files := unpack(t, im); len(files) != 4 {
			t.Errorf("%d files", len(files))
		}
	}
}
