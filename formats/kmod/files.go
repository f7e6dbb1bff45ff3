package kmod

import (
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// The names of the index files, relative to lib/modules/<release>.
const (
	fileDep            = "modules.dep"
	fileAlias          = "modules.alias"
	fileSoftdep        = "modules.softdep"
	fileBuiltin        = "modules.builtin"
	fileBuiltinModinfo = "modules.builtin.modinfo"
	fileOrder          = "modules.order"
)

// sortedHeader begins a modules.alias that holds nothing but aliases as they are in memory.
const sortedHeader = "# Aliases extracted from modules themselves, sorted by pattern.\n"

// maxFile is the most of an index file that is read; Debian's largest has 1.3 MB.
const maxFile = 8 << 20

// Scan reads every module below dir of t, such as usr/lib/modules/6.1.0-1-amd64, and the kernel's files there, and makes
// the index. Other index files are not looked at.
func Scan(t *tree.Tree, dir string) (*Index, error) {
	var modules []*Module
	for _, n := range t.Nodes() {
		rel, ok := strings.CutPrefix(n.Path, dir+"/")
		if !ok || !n.Mode.IsRegular() || !IsModule(rel) {
			continue
		}
		if strings.ContainsAny(rel, ": \t\r\n") {
			return nil, report.Errorf(report.Invalid, "module %q: a colon or white space in its path; modules.dep cannot hold it", n.Path)
		}
		m, err := Read(rel, n.Open())
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	var kernel KernelFiles
	for _, f := range []struct {
		name string
		to   *string
	}{{fileBuiltin, &kernel.Builtin}, {fileBuiltinModinfo, &kernel.BuiltinModinfo}, {fileOrder, &kernel.Order}} {
		if n := t.Get(path.Join(dir, f.name)); n != nil {
			content, err := blob.ReadAll(n.Open(), maxFile)
			if err != nil {
				return nil, report.Errorf(report.Invalid, "%s: %w", n.Path, err)
			}
			*f.to = string(content)
		}
	}
	return NewIndex(modules, kernel), nil
}

// Files are the index files, to be put into lib/modules/<release>: modules.dep, modules.alias (sorted by pattern, "_" for
// "-"), modules.softdep, and those of the kernel that there are.
func (x *Index) Files() *tree.Tree {
	t := &tree.Tree{}
	add := func(name, content string) {
		if content != "" {
			t.File(name, 0o644, blob.String(content))
		}
	}
	add(fileDep, x.depFile())
	add(fileAlias, sortedHeader+string(x.aliases))
	add(fileSoftdep, x.softdepFile())
	add(fileBuiltin, x.kernel.Builtin)
	add(fileBuiltinModinfo, x.kernel.BuiltinModinfo)
	add(fileOrder, x.kernel.Order)
	return t
}

// depFile has all that a module depends on, directly or not, the last to load first.
func (x *Index) depFile() string {
	var b strings.Builder
	for _, m := range x.modules {
		b.WriteString(m.Path + ":")
		for _, d := range slices.Backward(x.closure(m)) {
			b.WriteString(" " + d.Path)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// closure is what m depends on, in load order, without soft dependencies.
func (x *Index) closure(m *Module) []*Module {
	var order []*Module
	seen := map[*Module]bool{m: true}
	var visit func(m *Module)
	visit = func(m *Module) {
		for _, name := range m.Needs() {
			if i, ok := x.byName[name]; ok && !seen[x.modules[i]] {
				seen[x.modules[i]] = true
				visit(x.modules[i])
				order = append(order, x.modules[i])
			}
		}
	}
	visit(m)
	return order
}

func (x *Index) softdepFile() string {
	var b strings.Builder
	b.WriteString("# Soft dependencies extracted from modules themselves.\n")
	for _, m := range x.modules {
		if len(m.SoftPre)+len(m.SoftPost) == 0 {
			continue
		}
		b.WriteString("softdep " + m.Name)
		if len(m.SoftPre) > 0 {
			b.WriteString(" pre: " + strings.Join(m.SoftPre, " "))
		}
		if len(m.SoftPost) > 0 {
			b.WriteString(" post: " + strings.Join(m.SoftPost, " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
