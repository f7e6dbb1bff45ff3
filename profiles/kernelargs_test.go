package profiles

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
)

func TestCustomize(t *testing.T) {
	t.Parallel()
	const base = "talos.platform=metal console=tty0 console=ttyS0 pti=on quiet"
	for _, c := range []struct{ extra, want string }{
		{"", base},
		{"a b=c d=", base + " a b=c d="},
		{"quiet quiet", base + " quiet quiet"},
		{"console=ttyS1", "talos.platform=metal pti=on quiet console=ttyS1"},
		{"console=ttyS1 console=tty1", "talos.platform=metal pti=on quiet console=ttyS1 console=tty1"},
		{"talos.platform=aws", "console=tty0 console=ttyS0 pti=on quiet talos.platform=aws"},
		{"-console", "talos.platform=metal pti=on quiet"},
		{"-console=tty0", "talos.platform=metal console=ttyS0 pti=on quiet"},
		{"-console=ttyS7", base},
		{"-console=tty0 console=ttyS1", "talos.platform=metal pti=on quiet console=ttyS1"},
		{"console=ttyS1 -console", "talos.platform=metal pti=on quiet"},
		{"-quiet -pti=off -pti=on", "talos.platform=metal console=tty0 console=ttyS0"},
		{"-quie -pt", base},
		{"a=1 a=2 -a=1", base + " a=2"},
		{"pti=off", base + " pti=off"},
	} {
		got, err := cmdline.Customize(cmdline.Parse(base), strings.Fields(c.extra))
		if err != nil || got.String() != c.want {
			t.Errorf("%s: got %s, %v\nwant %s", c.extra, got, err, c.want)
		}
	}
}

// kernelNextArg is next_arg of the kernel's lib/cmdline.c: what the kernel makes of a command line.
func kernelNextArg(args string) (name, value, rest string) {
	inQuote, quoted, equals := false, false, 0
	if strings.HasPrefix(args, `"`) {
		args, inQuote, quoted = args[1:], true, true
	}
	i := 0
	for ; i < len(args); i++ {
		if args[i] == ' ' && !inQuote {
			break
		}
		if equals == 0 && args[i] == '=' {
			equals = i
		}
		if args[i] == '"' {
			inQuote = !inQuote
		}
	}
	name, rest = args[:i], strings.TrimLeft(args[i:], " ")
	if equals > 0 {
		name, value = args[:equals], args[equals+1:i]
		if strings.HasPrefix(value, `"`) {
			value = strings.TrimSuffix(value[1:], `"`)
		}
	} else if quoted {
		name = strings.TrimSuffix(name, `"`)
	}
	return name, value, rest
}

func FuzzKernelArg(f *testing.F) {
	for _, s := range []string{"a", "a=b", `a="b c"`, "a=b c", "a==", `a=""`, `a="`, "-x", "a b=c", "a=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := cmdline.ParseWord(s)
		if err != nil {
			return
		}
		name, value, rest := kernelNextArg(a.String() + " next")
		if name != a.Key || value != a.Value || rest != "next" {
			t.Errorf("%q is written as %q, which the kernel reads as %q = %q, then %q", s, a, name, value, rest)
		}
		if node := cmdline.Parse(a.String()); !slices.Equal(node, cmdline.Args{a}) {
			t.Errorf("%q is written as %q, which a machine reads as %+v", s, a, node)
		}
	})
}

func TestCmdlineLimit(t *testing.T) {
	t.Parallel()
	p := &Profile{Arch: "amd64", Platform: "metal", Output: Output{Kind: "uki"}}
	line, err := p.Cmdline()
	if err != nil {
		t.Fatal(err)
	}
	room := maxCmdline - len(line) - len(" a=")
	p.Customization.ExtraKernelArgs = []string{"a=" + strings.Repeat("b", room)}
	if line, err = p.Cmdline(); err != nil || len(line) != maxCmdline {
		t.Errorf("%d bytes, %v", len(line), err)
	}
	p.Customization.ExtraKernelArgs[0] += "b"
	if _, err = p.Cmdline(); report.KindOf(err) != report.Invalid {
		t.Errorf("2048 bytes: %v", err)
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, platform := range Platforms() {
		for _, arch := range Arches() {
			args := strings.Join(baseArgs(arch, platform, "iso"), " ")
			if !strings.HasPrefix(args, "talos.platform="+platform+" ") || !strings.Contains(args, " console=tty") {
				t.Errorf("%s %s: %s", platform, arch, args)
			}
			if (arch == "arm64") != strings.Contains(args, "ttyAMA0") || (arch == "amd64") != strings.Contains(args, "pti=on") {
				t.Errorf("%s %s: %s", platform, arch, args)
			}
		}
	}
}

func TestEncodeMeta(t *testing.T) {
	t.Parallel()
	if got := encodeMeta(nil); got != "" {
		t.Errorf("no entries: %q", got)
	}
	short := encodeMeta([]Meta{{10, "a: b"}, {0xc, "x"}})
	if got, _ := base64.StdEncoding.DecodeString(short); string(got) != "0xa=a: b;0xc=x" {
		t.Errorf("%q", got)
	}
	value := strings.Repeat("network: eth0\n", 20)
	packed, err := base64.StdEncoding.DecodeString(encodeMeta([]Meta{{10, value}}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "0xa="+value {
		t.Errorf("%q, %v", got, err)
	}
}
