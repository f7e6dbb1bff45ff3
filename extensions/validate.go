package extensions

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/extensions/semver"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/extservice"
)

// Facts are what is known of what an extension is laid over. Whatever is left at its zero value is unknown, and what
// depends on it becomes a warning.
type Facts struct {
	Arch    string       // as Go names it: amd64 or arm64
	Release string       // of the kernel, as uname -r prints it
	Version string       // the version that a manifest's compatibility.talos is about, such as v1.9.0
	Modules *kmod.Index  // the base's kernel modules
	Root    *tree.Tree   // the base's root file system
	Earlier []*tree.Tree // the extensions below this one, the lowest first; none where nil
}

// Options of Validate; the zero value works.
type Options struct {
	Name          string // comes before the paths in findings: the folder or reference of the extension
	SignedModules bool   // the kernel takes signed modules only
}

const maxFindings = 500 // then only their number is told

// Validate is everything that is wrong with the extension t, faults and warnings, in the order of the files.
func Validate(t *tree.Tree, f Facts, o Options) report.Findings {
	c := &checker{facts: f, opts: o, root: Root(t), mounted: map[string]bool{}}
	c.manifest(t)
	c.top(t)
	for _, n := range c.root.Nodes() {
		c.file(n)
	}
	c.modules()
	c.services()
	c.programs()
	slices.SortStableFunc(c.findings, func(a, b report.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(b.Severity, a.Severity))
	})
	if more := len(c.findings) - maxFindings; more > 0 {
		c.findings = c.findings[:maxFindings]
		c.add(report.Fault, RootFolder, "", "and %d findings more", more)
	}
	return c.findings
}

type checker struct {
	facts    Facts
	opts     Options
	root     *tree.Tree
	mounted  map[string]bool // names of services into whose containers something of the machine is mounted
	findings report.Findings
}

// add is a finding about the file p of the extension.
func (c *checker) add(s report.Severity, p, hint, format string, args ...any) {
	c.findings = append(c.findings, report.Finding{
		Severity: s, File: inside(c.opts.Name, p), Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// inside is the file p of the extension called name, as findings have it.
func inside(name, p string) string {
	if name == "" {
		return p
	}
	return strings.TrimRight(name, "/") + "/" + p
}

// fault and warn are about a file of the root file system.
func (c *checker) fault(p, hint, format string, args ...any) {
	c.add(report.Fault, path.Join(RootFolder, p), hint, format, args...)
}

func (c *checker) warn(p, hint, format string, args ...any) {
	c.add(report.Warning, path.Join(RootFolder, p), hint, format, args...)
}

// notChecked says what nobody could look at, and what is missing for it.
func (c *checker) notChecked(p, missing, format string, args ...any) {
	c.add(report.Warning, p, "", "not checked: %s, as %s is unknown", fmt.Sprintf(format, args...), missing)
}

// addError keeps the findings of err, or makes one of it.
func (c *checker) addError(p string, err error) {
	if fs, ok := errors.AsType[report.Findings](err); ok {
		c.findings = append(c.findings, fs...)
		return
	}
	c.add(report.Fault, p, report.HintOf(err), "%v", err)
}

func (c *checker) manifest(t *tree.Tree) {
	m, err := readManifest(c.opts.Name, t)
	if err != nil {
		c.addError("", err)
		return
	}
	want := m.Metadata.Compatibility.Talos.Version
	if want == "" {
		return
	}
	if c.facts.Version == "" {
		c.notChecked(ManifestFile, "the version of the system", "version constraint %s", want)
		return
	}
	const at = "metadata.compatibility.talos.version"
	v, err := semver.Parse(c.facts.Version)
	switch {
	case err != nil:
		c.findings = append(c.findings, m.doc.Finding(at, fmt.Sprintf("the constraint cannot be compared: %v", err), ""))
	case !m.works.Has(v):
		c.findings = append(c.findings, m.doc.Finding(at, fmt.Sprintf("version constraint %s is not satisfied by version %s", want, c.facts.Version), ""))
	}
}

// top wants nothing but a manifest and a folder rootfs.
func (c *checker) top(t *tree.Tree) {
	if n := t.Get(RootFolder); n == nil {
		c.add(report.Fault, RootFolder, "put the files to be laid over the machine's root into it", "the extension has no root file system")
	} else if !n.Mode.IsDir() {
		c.add(report.Fault, RootFolder, "", "is no folder")
	}
	for _, n := range t.Nodes() {
		if n.Path != "." && n.Path != ManifestFile && n.Path != RootFolder && !strings.Contains(n.Path, "/") {
			c.add(report.Fault, n.Path, "only "+ManifestFile+" and "+RootFolder+" may be there", "unexpected file")
		}
	}
}

// prefixes are where files and symbolic links may be: what version 1.9 of the system in the field allows, and what later
// ones do, which have everything below /usr.
func prefixes() []string {
	return []string{
		"etc/cri/conf.d", "etc/ld.so.cache", "etc/ld.so.conf", "etc/vulkan",
		"lib/firmware", "lib/modules", "lib64/ld-linux-x86-64.so.2", "sbin/ldconfig",
		"usr/bin/ldconfig", "usr/bin/nvidia-cdi-hook", "usr/bin/nvidia-ctk", "usr/bin/nvidia-modprobe", "usr/bin/nvidia-pcc", "usr/bin/nvidia-smi", "usr/bin/nvme",
		"usr/lib/firmware", "usr/lib/ld-linux-aarch64.so.1", "usr/lib/ld-linux-x86-64.so.2", "usr/lib/modules", "usr/lib/udev/rules.d",
		"usr/local", "usr/share/egl", "usr/share/glvnd",
	}
}

// whiteout begins the names of files by which a layer of a container image removes those of the layers below.
const whiteout = ".wh."

// file checks what can be said of a file by itself.
func (c *checker) file(n *tree.Node) {
	kind := n.Mode.Type()
	switch {
	case kind == 0 || kind == fs.ModeSymlink:
		if !slices.ContainsFunc(prefixes(), func(p string) bool { return below(n.Path, p) }) {
			c.fault(n.Path, "files may be below /usr/local and a few other folders; docs/extensions.md lists them", "path /%s is not allowed in extensions", n.Path)
		}
	case kind != fs.ModeDir:
		c.fault(n.Path, "the machine makes its devices itself", "is a special file (%s), which is not allowed", kind)
	}
	sticky := kind == fs.ModeDir && n.Mode&fs.ModeSticky != 0
	if kind != fs.ModeSymlink && n.Mode.Perm()&0o002 != 0 && !sticky {
		c.fault(n.Path, "chmod o-w", "everybody may write to it (mode %04o)", tree.UnixMode(n.Mode)&0o7777)
	}
	if kind == 0 && n.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		c.fault(n.Path, "chmod ug-s", "runs with the rights of its owner or group (mode %04o)", tree.UnixMode(n.Mode)&0o7777)
	}
	if n.Xattrs["security.capability"] != "" {
		c.fault(n.Path, "setcap -r", "carries capabilities, which give rights to whoever runs it")
	}
	if strings.HasPrefix(n.Name(), whiteout) {
		c.fault(n.Path, "give it another name", "container images take a file %s* for the removal of another", whiteout)
	}
	if kind == fs.ModeSymlink && leaves(n) {
		c.fault(n.Path, "", "the link to %.200q leaves the root file system", n.Link)
	}
}

// below tells whether p is folder or in it.
func below(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// leaves tells whether the target of a link has more ".." than folders above it. A container's root is its own world.
func leaves(n *tree.Node) bool {
	at := n.Path
	if _, rest, ok := inContainer(at); ok {
		at = rest
	}
	depth := strings.Count(at, "/")
	if path.IsAbs(n.Link) {
		depth = 0
	}
	for name := range strings.SplitSeq(n.Link, "/") {
		switch name {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// inContainer cuts the path of a file in a container's root file system.
func inContainer(p string) (container, rest string, ok bool) {
	p, ok = strings.CutPrefix(p, extservice.RootFolder+"/")
	container, rest, more := strings.Cut(p, "/")
	return container, rest, ok && more
}
