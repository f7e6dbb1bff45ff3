package arch

import (
	"strings"
	"testing"
)

// rules say what a package may import besides the standard library, internal/report and what is below itself. The row
// with the longest prefix counts. docs/architecture.md is the same as a picture.
var rules = []struct{ pkg, may string }{
	{"cmd/bootwright", "factory builder profiles extensions initramfs inspect machine formats internal/blockdev internal/cli internal/progress internal/vm internal/yamldoc" +
		" github.com/spf13/cobra github.com/spf13/pflag go.yaml.in/yaml/v4 golang.org/x/term"},
	{"cmd/wrightctl", "machine formats internal/cli internal/progress internal/yamldoc github.com/spf13/cobra github.com/spf13/pflag golang.org/x/term"},
	{"cmd/installer", "machine formats internal/blockdev internal/cli internal/progress github.com/spf13/cobra golang.org/x/sys"},
	{"cmd/init", "initramfs/pid1 machine"},
	{"factory", "builder profiles extensions inspect machine formats github.com/google/go-containerregistry"},
	{"builder", "profiles extensions initramfs inspect machine formats internal/yamldoc golang.org/x/sync"},
	{"builder/base", "builder/base/flock formats internal/progress golang.org/x/sync golang.org/x/sys github.com/google/go-containerregistry"},
	{"builder/extension", "machine internal/yamldoc builder/base builder/fetch builder/reference builder/store extensions formats github.com/google/go-containerregistry"},
	{"builder/extend", "builder/extension builder/reference extensions initramfs profiles formats machine"},
	{"builder/reference", "formats github.com/google/go-containerregistry"},
	{"builder/diskimage", "profiles formats"},
	{"builder/container", "builder/base builder/fetch builder/reference formats github.com/google/go-containerregistry"},
	{"builder/inherit", "builder/base builder/fetch builder/reference profiles formats"},
	{"builder/installer", "builder/base builder/container machine formats github.com/google/go-containerregistry"},
	{"builder/ipxe", ""},
	{"builder/result", "formats/blob"},
	{"builder/signature", "formats/blob"},
	{"builder/fetch", "machine internal/yamldoc builder/fetch builder/reference builder/signature builder/store formats golang.org/x/sync github.com/google/go-containerregistry"},
	{"builder/store", "formats golang.org/x/sync golang.org/x/sys"},
	{"profiles", "machine formats internal/yamldoc"},
	{"extensions", "machine formats internal/yamldoc"},
	{"extensions/compose", "extensions machine formats"},
	{"initramfs", "machine formats"},
	{"initramfs/pid1", "initramfs/pid1 machine formats internal/yamldoc golang.org/x/sync golang.org/x/sys github.com/klauspost/compress" +
		" github.com/vishvananda/netlink github.com/insomniacslk/dhcp github.com/google/go-tpm" +
		" github.com/opencontainers/runtime-spec github.com/pelletier/go-toml golang.org/x/net golang.zx2c4.com/wireguard/wgctrl"},
	{"initramfs/pid1/documents", "initramfs/pid1/documents initramfs/pid1/kernel initramfs/pid1/watch machine formats internal/yamldoc"},
	{"initramfs/pid1/reporting", "machine"},
	{"initramfs/pid1/services/cgroups", "initramfs/pid1/kernel"},
	{"inspect", "machine formats internal/progress"},
	{"machine", "machine formats internal/yamldoc go.yaml.in/yaml/v4"},
	{"formats", "formats/blob formats/tree formats/inorder formats/frames"},
	{"formats/frames", "formats/blob formats/inorder"},
	{"formats/gzip", "formats/blob formats/frames github.com/klauspost/compress"},
	{"formats/inorder", "golang.org/x/sync"},
	{"formats/blob", "golang.org/x/sys"},
	{"formats/tree", "formats/blob golang.org/x/sys"},
	{"formats/kmod", "formats/blob formats/tree github.com/klauspost/compress github.com/ulikunitz/xz"},
	{"formats/squashfs", "formats/blob formats/tree github.com/klauspost/compress golang.org/x/sync"},
	{"formats/vmdk", "formats/blob formats/inorder github.com/klauspost/compress"},
	{"formats/xz", "formats/blob formats/frames github.com/ulikunitz/xz"},
	{"formats/zstd", "formats/blob github.com/klauspost/compress golang.org/x/sync"},
	{"internal/report", ""},
	{"internal/cli", "github.com/spf13/cobra github.com/spf13/pflag golang.org/x/term"},
	{"internal/yamldoc", "go.yaml.in/yaml/v4"},
	{"internal/progress", "golang.org/x/term"},
	{"internal/oracle", "formats"},
	{"internal/vm", "formats golang.org/x/sys golang.org/x/term"},
	{"internal/blockdev", "golang.org/x/sys"},
	{"internal/arch", ""},
	{"internal/bench", ""},
}

// TestImports keeps the rooms in their order. Tests may import what they need.
func TestImports(t *testing.T) {
	for _, f := range load(t).files {
		if f.test() || f.helper() {
			continue
		}
		for _, p := range f.imports() {
			p, ours := strings.CutPrefix(p, module+"/")
			switch {
			case p == "testing", ours && isTestHelper(p):
				t.Errorf("%s imports %s, which is for tests only", f.path, p)
			case (ours || !standard(p)) && !mayImport(f.pkg(), p):
				t.Errorf("%s imports %s, which %s must not; see the table in this test", f.path, p, f.pkg())
			}
		}
	}
}

// mayImport applies the row of pkg with the longest prefix; a package without a row may import nothing.
func mayImport(pkg, p string) bool {
	var row struct{ pkg, may string }
	for _, r := range rules {
		if under(pkg, r.pkg) && len(r.pkg) > len(row.pkg) {
			row = r
		}
	}
	return row.pkg != "" && (p == "internal/report" || under(p, pkg) || underAny(p, strings.Fields(row.may)))
}

func TestMayImport(t *testing.T) {
	for _, tt := range []struct {
		pkg, imports string
		want         bool
	}{
		{"builder", "formats/iso9660", true},
		{"builder", "builder/store", true},
		{"builder/store", "builder", false},
		{"formats/fat", "formats/tree", true},
		{"formats/fat", "formats/gpt", false},
		{"formats/fat", "internal/report", true},
		{"formats/fat", "github.com/klauspost/compress/zstd", false},
		{"formats/zstd", "github.com/klauspost/compress/zstd", true},
		{"initramfs/pid1/modules", "formats/kmod", true},
		{"initramfs/pid1", "initramfs", false},
		{"initramfs/pid1", "builder", false},
		{"profilesque", "formats/blob", false},
		{"elsewhere", "internal/report", false},
	} {
		if got := mayImport(tt.pkg, tt.imports); got != tt.want {
			t.Errorf("mayImport(%q, %q) = %v", tt.pkg, tt.imports, got)
		}
	}
}

// TestRulesPointDown checks the table itself: if a may import b, b may not import a.
func TestRulesPointDown(t *testing.T) {
	for _, a := range rules {
		for _, p := range strings.Fields(a.may) {
			for _, b := range rules {
				if under(b.pkg, p) && b.pkg != a.pkg && !under(a.pkg, b.pkg) && underAny(a.pkg, strings.Fields(b.may)) {
					t.Errorf("the table lets %s import %s and the other way round", a.pkg, b.pkg)
				}
			}
		}
	}
}
