package profiles

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func load(t *testing.T, text string) *Profile {
	t.Helper()
	p, err := Load("my.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGolden keeps every built-in profile as it resolves, and the command line that follows, where a diff shows them.
func TestGolden(t *testing.T) {
	t.Parallel()
	requests := map[string]string{"custom": `
baseProfileName: iso
version: v1.2.3
epoch: 2026-01-31T12:00:00+01:00
base: oci:_out/base:cloud
customization:
  extraKernelArgs: [-pti, console=ttyS1, 'dyndbg="file drivers/usb/* +p"']
  metaContents:
  - {key: 0xc, value: rack 7}
output:
  isoOptions: {label: RACK_7}
`}
	for _, name := range Names() {
		for _, arch := range Arches() {
			requests[name+"-"+arch] = fmt.Sprintf("baseProfileName: %s\narch: %s\n", name, arch)
		}
	}
	for name, text := range requests {
		p, err := Resolve(load(t, text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := yaml.Dump(p)
		if err != nil {
			t.Fatal(err)
		}
		line, err := p.Cmdline()
		if err != nil {
			t.Fatal(err)
		}
		if p.Output.Kind != "kernel" && p.Output.Kind != "initramfs" {
			got = append(got, "# "+strings.ReplaceAll(line, " ", "\n# ")+"\n"...)
		}
		path := filepath.Join("../testdata/profiles", name+".yaml")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s\n(go test -update writes it anew)", name, got, want)
		}
		again, err := Resolve(load(t, string(got)))
		if err != nil {
			t.Fatalf("%s: a resolved profile is no profile: %v", name, err)
		}
		if text, err := yaml.Dump(again); err != nil || !strings.HasPrefix(string(got), string(text)) {
			t.Errorf("%s: resolving twice gives %s, %v", name, text, err)
		}
	}
}

// TestFaults has what is wrong with profiles, from Load or Resolve: "line:column path: message (hint)", a line each.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ profile, want string }{
		{"", "0:0 : the document is empty"},
		{"knid: iso\noutput: {knid: iso}\nsecureboot: true\n", "1:1 knid: unknown field (fields: baseProfileName, arch, platform, version, base, epoch, customization, input, output)\n" +
			"2:10 output.knid: unknown field (did you mean \"kind\"?)\n" +
			"3:1 secureboot: unknown field (fields: baseProfileName, arch, platform, version, base, epoch, customization, input, output)"},
		{"kind: iso", "1:1 kind: unknown field (did you mean output.kind?)"},
		{"baseProfileName: isoo\narch: x86_64\nplatform: metall\nversion: v 1\nbase: \"oci:a\\nb\"\noutput: {kind: disk, outFormat: zip}",
			"1:18 baseProfileName: unknown built-in profile \"isoo\" (did you mean iso?)\n" +
				"2:7 arch: unknown architecture \"x86_64\" (one of amd64, arm64)\n" +
				"3:11 platform: unknown platform \"metall\" (did you mean metal?)\n" +
				"4:10 version: \"v 1\" is not a version of up to 64 letters, digits and . _ + ~ -\n" +
				"5:7 base: \"oci:a\\nb\" is not a reference\n" +
				"6:16 output.kind: unknown output kind \"disk\" (one of cmdline, image, initramfs, installer, iso, kernel, pxe, uki)\n" +
				"6:33 output.outFormat: unknown output format \"zip\" (one of raw, .zst, .gz, .xz, .tar.gz, .oci.tar)"},
		{"version: 1.10\n", "1:10 version: found the number 1.10, want text (put it in quotes: \"1.10\")"},
		{"epoch: yesterday", "1:8 epoch: \"yesterday\" is no time (write seconds since 1970 or a time such as 2026-01-31T00:00:00Z)"},
		{"epoch: 0", "1:8 epoch: 0 is not from 1980-01-01 to 2106-02-07 (file systems in images cannot hold other times)"},
		{"epoch: 2107-01-01T00:00:00Z", "1:8 epoch: 2107-01-01T00:00:00Z is not from 1980-01-01 to 2106-02-07 (file systems in images cannot hold other times)"},
		{"customization:\n  extraKernelArgs:\n  - quiet splash\n  - -\nversin: x\n",
			"3:5 customization.extraKernelArgs[0]: \"quiet splash\" has a space in its name (give each argument as an item of its own)\n" +
				"4:5 customization.extraKernelArgs[1]: found a list, want text\n" +
				"5:1 versin: unknown field (did you mean \"version\"?)"},
		{"customization:\n  extraKernelArgs:\n  - quiet splash\n  - \"-\"\n  - a=\"b\n  - =x\n  - a=ü\n",
			"3:5 customization.extraKernelArgs[0]: \"quiet splash\" has a space in its name (give each argument as an item of its own)\n" +
				"4:5 customization.extraKernelArgs[1]: \"\" names no kernel argument\n" +
				"5:5 customization.extraKernelArgs[2]: \"a=\\\"b\" cannot stand on a kernel command line (printable ASCII only; quotes only around a value)\n" +
				"6:5 customization.extraKernelArgs[3]: \"=x\" names no kernel argument\n" +
				"7:5 customization.extraKernelArgs[4]: \"a=ü\" cannot stand on a kernel command line (printable ASCII only; quotes only around a value)"},
		{"customization: {metaContents: [{key: 0, value: a}, {key: 300, value: b}]}",
			"1:38 customization.metaContents[0].key: 0 is not a key (keys are 1 to 255)\n" +
				"1:58 customization.metaContents[1].key: found the number 300, want a whole number from 0 to 255"},
		{"customization: {metaContents: [{key: 0, value: a;b}]}", "1:38 customization.metaContents[0].key: 0 is not a key (keys are 1 to 255)\n" +
			"1:48 customization.metaContents[0].value: a value on the kernel command line cannot hold a semicolon or a NUL byte"},
		{"output: {isoOptions: {label: my disk}, pxeOptions: {baseURL: /srv}}", "1:30 output.isoOptions.label: \"my disk\" is not a volume name of up to 32 of A-Z, 0-9 and _\n" +
			"1:62 output.pxeOptions.baseURL: \"/srv\" is not a URL of http, https, tftp or ftp"},
		// As a whole.
		{"version: \"1\"\noutput:\n  outFormat: raw\n", "0:0 arch: required, and neither given nor inherited\n" +
			"0:0 platform: required, and neither given nor inherited\n" +
			"2:1 output.kind: required, and neither given nor inherited"},
		{"baseProfileName: kernel\ncustomization:\n  extraKernelArgs: [quiet]\n  metaContents: [{key: 10, value: x}]\ninput: {sdStub: {path: a}}\noutput: {isoOptions: {label: A}}\n",
			"3:3 customization.extraKernelArgs: customization of kernel args is not supported for kernel output\n" +
				"4:3 customization.metaContents: customization of META is not supported for kernel output\n" +
				"5:9 input.sdStub: not used for kernel output\n" +
				"6:10 output.isoOptions: not used for kernel output"},
		{"baseProfileName: initramfs\ninput: {kernel: {path: a}, sdBoot: {path: b}}\noutput: {pxeOptions: {baseURL: 'http://a/'}}",
			"2:9 input.kernel: not used for initramfs output\n" +
				"2:28 input.sdBoot: not used for initramfs output\n" +
				"3:10 output.pxeOptions: not used for initramfs output"},
		{"baseProfileName: kernel\ncustomization:\n  machineConfig: {path: a, embed: initramfs, room: 1}",
			"3:3 customization.machineConfig: customization of machine configuration is not supported for kernel output\n" +
				"3:52 customization.machineConfig.room: not used for kernel output"},
		{"baseProfileName: metal-uki\ncustomization: {machineConfig: {path: a}}",
			"2:17 customization.machineConfig: uki output has no place for it but the initramfs; set embed: initramfs"},
		{"baseProfileName: iso\ncustomization: {machineConfig: {patches: ['@a'], embed: initramfs}}",
			"2:33 customization.machineConfig.patches: there is no configuration to patch\n" +
				"2:57 customization.machineConfig.embed: there is no configuration to embed"},
		{"baseProfileName: iso\ncustomization: {machineConfig: {path: a, inline: b, room: 40000000}}",
			"2:59 customization.machineConfig.room: 40000000 bytes cannot be reserved (0 to 33554432)"},
		{"baseProfileName: iso\ncustomization: {machineConfig: {path: a, inline: b, room: 100000}}",
			"2:17 customization.machineConfig: path and inline are both given"},
		{"baseProfileName: iso\ncustomization: {metaContents: [{key: 10, value: a}, {key: 10, value: b}]}",
			"2:17 customization.metaContents: key 10 is there twice"},
		{"baseProfileName: iso\ncustomization: {extraKernelArgs: [a=" + strings.Repeat("b", 1900) + "]}",
			"2:1 customization: the kernel command line has 2052 bytes, and the kernel cuts off what is beyond 2047"},
	} {
		p, err := Load("my.yaml", []byte(c.profile))
		if err == nil {
			_, err = Resolve(p)
		}
		if got := said(err); got != c.want || err != nil && report.KindOf(err) != report.Invalid {
			t.Errorf("%.200s\ngot:\n%s\nwant:\n%s", c.profile, got, c.want)
		}
	}
}

func said(err error) string {
	var lines []string
	fs, _ := errors.AsType[report.Findings](err)
	for _, f := range fs {
		line := fmt.Sprintf("%d:%d %s: %s", f.Line, f.Column, f.Path, f.Message)
		if f.Hint != "" {
			line += " (" + f.Hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestInheritance(t *testing.T) {
	t.Parallel()
	layers := map[string]string{
		"a": "baseProfileName: b\nplatform: aws\ncustomization: {extraKernelArgs: [two], metaContents: [{key: 10, value: x}]}",
		"b": "arch: arm64\nplatform: metal\nversion: v1\ncustomization: {extraKernelArgs: [one]}\noutput: {kind: iso, isoOptions: {label: B}}",
		"x": "baseProfileName: y",
		"y": "baseProfileName: x",
	}
	find := func(_, name string) (*Profile, string, error) {
		p := &Profile{}
		return p, "at " + name, yaml.Load([]byte(layers[name]), p)
	}
	top := &Profile{BaseProfileName: "a", Version: "v2", Customization: Customization{ExtraKernelArgs: []string{"three"}}}
	before := fmt.Sprintf("%+v", top)
	got, err := ResolveFrom(top, "", find)
	if err != nil {
		t.Fatal(err)
	}
	want := "arch: arm64\nplatform: aws\nversion: v2\ncustomization:\n  extraKernelArgs:\n  - one\n  - two\n  - three\n" +
		"  metaContents:\n  - key: 10\n    value: x\noutput:\n  kind: iso\n  outFormat: raw\n  isoOptions:\n    label: B\n"
	if text, _ := yaml.Dump(got); string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if after := fmt.Sprintf("%+v", top); after != before {
		t.Errorf("Resolve changed its argument: %s", after)
	}
	_, err = ResolveFrom(&Profile{BaseProfileName: "x"}, "", find)
	if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "profile x is based on itself") {
		t.Errorf("cycle: %v", err)
	}
}

// TestMadeInGo: what was never loaded is checked as well.
func TestMadeInGo(t *testing.T) {
	t.Parallel()
	_, err := Resolve(&Profile{Arch: "amd64", Platform: "mars", Output: Output{Kind: "disk"}})
	want := "0:0 platform: unknown platform \"mars\" (one of " + strings.Join(Platforms(), ", ") + ")\n" +
		"0:0 output.kind: unknown output kind \"disk\" (one of cmdline, image, initramfs, installer, iso, kernel, pxe, uki)"
	if got := said(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := Resolve(&Profile{BaseProfileName: "isoo"}); report.KindOf(err) != report.NotFound {
		t.Errorf("an unknown base profile: %v", err)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	p := load(t, "baseProfileName: iso\ncustomization: {extraKernelArgs: [a]}\n")
	for _, s := range [][2]string{
		{"arch", "arm64"},
		{"version", "1.10"},
		{"customization.extraKernelArgs", "-console"},
		{"customization.extraKernelArgs", "[b, c=d e]"},
		{"output.isoOptions.label", "SITE7"},
		{"epoch", "1700000000"},
	} {
		if err := p.Set("--set "+s[0], s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	if p.Arch != "arm64" || p.Version != "1.10" || p.Output.ISOOptions.Label != "SITE7" || p.Epoch.Unix() != 1700000000 ||
		!slices.Equal(p.Customization.ExtraKernelArgs, []string{"a", "-console", "b", "c=d e"}) {
		t.Errorf("%+v", p)
	}
	for _, c := range [][3]string{
		{"output.knid", "iso", "--set output.knid: output.knid: unknown field\n  hint: did you mean \"kind\"?"},
		{"arch", "arm65", "--set arch: arch: unknown architecture \"arm65\"\n  hint: did you mean arm64?"},
		{"arch.x", "y", "--set arch.x: arch: found a mapping, want text"},
	} {
		if err := p.Set("--set "+c[0], c[0], c[1]); err == nil || err.Error() != c[2] {
			t.Errorf("%s=%s: got %v, want %s", c[0], c[1], err, c[2])
		}
	}
	// What a flag made wrong is said of the flag, what the file has of the file.
	if err := p.Set("--set output.kind", "output.kind", "kernel"); err != nil {
		t.Fatal(err)
	}
	_, err := Resolve(p)
	want := "--set customization.extraKernelArgs: customization.extraKernelArgs: customization of kernel args is not supported for kernel output\n" +
		"--set output.isoOptions.label: output.isoOptions: not used for kernel output"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestBuiltins(t *testing.T) {
	t.Parallel()
	if got := strings.Join(Names(), " "); got != "akamai alibabacloud aws azure cloudstack cmdline digital-ocean exoscale gcp hcloud initramfs installer iso kernel kubevirt "+
		"metal metal-4k metal-uki nocloud opennebula openstack oracle pxe scaleway upcloud vmware vultr" {
		t.Errorf("built-in profiles: %s", got)
	}
	_, err := Builtin("metal_uki")
	if report.KindOf(err) != report.NotFound || report.HintOf(err) != "did you mean metal-uki?" {
		t.Errorf("%v, hint %q", err, report.HintOf(err))
	}
	if _, err := Source("../profile"); report.KindOf(err) != report.NotFound {
		t.Error(err)
	}
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil || !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with a comment that says what it makes: %v", name, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range Names() {
		text, _ := Source(name)
		f.Add(text)
	}
	f.Add([]byte("baseProfileName: iso\nepoch: 2026-01-31T12:00:00Z\ncustomization: {extraKernelArgs: ['a=\"b c\"', -pti=on], metaContents: [{key: 12, value: x}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load("f", data)
		if err != nil {
			if report.KindOf(err) != report.Invalid {
				t.Fatal(err)
			}
			return
		}
		whole, err := Resolve(p)
		if err != nil {
			if report.KindOf(err) != report.Invalid {
				t.Fatal(err)
			}
			return
		}
		line, err := whole.Cmdline()
		if err != nil || len(line) > 2047 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q: %v", line, err)
		}
		text, err := yaml.Dump(whole)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load("again", text); err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
	})
}
