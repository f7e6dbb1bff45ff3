package elf

import (
	"debug/elf"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Options of Closure; the zero value works.
type Options struct {
	LibraryPath []string // folders to search where LD_LIBRARY_PATH would be: after DT_RPATH, before DT_RUNPATH

	// Cache is what /etc/ld.so.cache lists: paths by the name of the library, the first that fits is taken. Nil stands for
	// what is in the folders of /etc/ld.so.conf.
	Cache map[string][]string
}

// Closure is the paths in t of all that the programs and libraries at roots need to be loaded: the roots themselves, their
// dynamic linkers, their libraries and those that these need, and the symbolic links on the way to each. A tree with
// these nodes runs the roots. The order is that of the bytes.
//
// A library of another class, byte order or machine is passed over, as the linker does. Whatever is missing is one error of
// kind NotFound that holds a *MissingError. A root that is no ELF file is Invalid.
func Closure(t *tree.Tree, roots []string, o Options) ([]string, error) {
	var conf []string
	if o.Cache == nil {
		var err error
		if conf, err = ConfFolders(t); err != nil {
			return nil, err
		}
	}
	r := &resolver{
		tree: t, first: o.LibraryPath, conf: conf, cache: o.Cache,
		infos: map[string]Info{}, found: map[string]bool{}, missing: map[string][]string{}, passed: map[string]string{},
	}
	for _, p := range roots {
		if err := r.load(p); err != nil {
			return nil, err
		}
	}
	if len(r.missing) > 0 {
		return nil, r.missingError()
	}
	return slices.Sorted(maps.Keys(r.found)), nil
}

// MissingError is every library and dynamic linker that Closure did not find.
type MissingError struct {
	By     map[string][]string // paths of the files that need it, by its name
	Passed map[string]string   // why a file of that name was not taken, by its name
}

func (e *MissingError) Error() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(e.By)) {
		line := fmt.Sprintf("%s, needed by %s", name, strings.Join(e.By[name], ", "))
		if why := e.Passed[name]; why != "" {
			line += " (" + why + ")"
		}
		lines = append(lines, line)
	}
	return "missing libraries: " + strings.Join(lines, "; ")
}

// resolver is the work of one Closure.
type resolver struct {
	tree        *tree.Tree
	first, conf []string            // folders to search
	cache       map[string][]string // paths by name
	infos       map[string]Info     // of the files read so far, by path
	found       map[string]bool     // the closure
	missing     map[string][]string // who needs it, by what is missing
	passed      map[string]string   // why a file was passed over, by its name
}

// object is a file as one process loads it.
type object struct {
	Info
	path   string  // without links
	origin string  // the folder it was found in, for $ORIGIN
	loader *object // that needs it; nil of a program
}

// load follows all that the file at root needs, breadth first, as the linker does for one process: a library that is
// loaded already satisfies all who need a library of its name.
func (r *resolver) load(root string) error {
	way, err := r.tree.Trace(root)
	if err != nil {
		return report.Errorf(report.NotFound, "%w", err)
	}
	program := &object{path: way[len(way)-1]}
	program.origin = path.Dir(program.path)
	if program.Info, err = r.info(program.path); err != nil {
		return fmt.Errorf("%s: %w", program.path, err)
	}
	r.add(way)
	loaded := map[string]bool{}
	if err := r.loadInterp(program, loaded); err != nil {
		return err
	}
	for queue := []*object{program}; len(queue) > 0; queue = queue[1:] {
		by := queue[0]
		for _, name := range by.Needed {
			if loaded[name] {
				continue
			}
			lib, err := r.find(name, by)
			if err != nil {
				return err
			}
			if lib == nil {
				continue
			}
			loaded[name] = true
			if !loaded["/"+lib.path] {
				queue = append(queue, lib)
			}
			loaded[lib.Soname], loaded["/"+lib.path] = true, true
		}
	}
	return nil
}

// loadInterp finds the dynamic linker, which is loaded by its path and satisfies those who need it by its name.
func (r *resolver) loadInterp(program *object, loaded map[string]bool) error {
	if program.Interp == "" {
		return nil
	}
	interp, err := r.try(program.Interp, program)
	switch {
	case err != nil:
		return err
	case interp == nil:
		r.miss(program.Interp, program)
		return nil
	}
	loaded[interp.Soname] = true
	return nil
}

// find is the library that by gets when it needs name, or nil where that is missing.
func (r *resolver) find(name string, by *object) (*object, error) {
	candidates := expand([]string{name}, by.origin)
	if !strings.Contains(name, "/") {
		candidates = r.candidates(name, by)
	}
	for _, c := range candidates {
		if lib, err := r.try(c, by); lib != nil || err != nil {
			return lib, err
		}
	}
	r.miss(name, by)
	return nil, nil
}

// try is the file at p, which joins the closure, or nil where there is none that by can load.
func (r *resolver) try(p string, by *object) (*object, error) {
	way, err := r.tree.Trace(p)
	if err != nil {
		return nil, nil
	}
	lib := &object{path: way[len(way)-1], origin: path.Dir(p), loader: by}
	lib.Info, err = r.info(lib.path)
	switch kind := report.KindOf(err); {
	case err != nil && kind != report.Invalid && kind != report.Unsupported:
		return nil, fmt.Errorf("%s: %w", lib.path, err)
	case err != nil:
		r.passed[path.Base(p)] = fmt.Sprintf("%s: %v", lib.path, err)
		return nil, nil
	case lib.Class != by.Class, lib.Data != by.Data, lib.Machine != by.Machine:
		r.passed[path.Base(p)] = fmt.Sprintf("%s is for %v, %v, not %v, %v", lib.path, lib.Machine, lib.Class, by.Machine, by.Class)
		return nil, nil
	}
	r.add(way)
	return lib, nil
}

func (r *resolver) info(p string) (Info, error) {
	if i, ok := r.infos[p]; ok {
		return i, nil
	}
	n := r.tree.Get(p)
	if !n.Mode.IsRegular() {
		return Info{}, report.Errorf(report.Invalid, "not a file")
	}
	i, err := Needed(n.Open())
	if err == nil {
		r.infos[p] = i
	}
	return i, err
}

func (r *resolver) add(way []string) {
	for _, p := range way {
		r.found[p] = true
	}
}

func (r *resolver) miss(name string, by *object) {
	if !slices.Contains(r.missing[name], by.path) {
		r.missing[name] = append(r.missing[name], by.path)
	}
}

func (r *resolver) missingError() error {
	e := &MissingError{By: r.missing, Passed: map[string]string{}}
	for name, by := range r.missing {
		slices.Sort(by)
		if why := r.passed[path.Base(name)]; why != "" {
			e.Passed[name] = why
		}
	}
	return report.Errorf(report.NotFound, "%w", e)
}

// candidates are the paths at which the library name, which by needs, may be, in the order of ld.so(8).
func (r *resolver) candidates(name string, by *object) []string {
	var out, dirs []string
	for o := by; o != nil && by.RunPath == nil; o = o.loader {
		if o.RunPath == nil {
			dirs = append(dirs, expand(o.RPath, o.origin)...)
		}
	}
	dirs = append(dirs, r.first...)
	dirs = append(dirs, expand(by.RunPath, by.origin)...)
	for _, dir := range append(dirs, r.conf...) {
		out = append(out, path.Join(dir, name))
	}
	out = append(out, r.cache[name]...)
	for _, dir := range defaultFolders(by.Info) {
		out = append(out, path.Join(dir, name))
	}
	return out
}

// expand replaces $ORIGIN in paths and leaves out what depends on the working folder or on other tokens.
func expand(paths []string, origin string) []string {
	tokens := strings.NewReplacer("${ORIGIN}", "/"+origin, "$ORIGIN", "/"+origin)
	var out []string
	for _, p := range paths {
		if p = tokens.Replace(p); strings.HasPrefix(p, "/") && !strings.Contains(p, "$") {
			out = append(out, p)
		}
	}
	return out
}

// defaultFolders are those that the linker searches without being told: Debian's multiarch ones, then everybody's.
func defaultFolders(i Info) []string {
	lib := []string{"/lib", "/usr/lib"}
	if i.Class == elf.ELFCLASS64 {
		lib = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	}
	if t := triplet(i); t != "" {
		lib = append([]string{"/lib/" + t, "/usr/lib/" + t}, lib...)
	}
	return lib
}

// DefaultFolders are those that the linker of a little-endian machine with 64 bits searches without being told.
func DefaultFolders(m elf.Machine) []string {
	return defaultFolders(Info{Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB, Machine: m})
}

// triplet is the name of Debian's library folder for i's machine, "" where unknown.
func triplet(i Info) string {
	switch {
	case i.Machine == elf.EM_X86_64 && i.Class == elf.ELFCLASS64:
		return "x86_64-linux-gnu"
	case i.Machine == elf.EM_AARCH64 && i.Data == elf.ELFDATA2LSB:
		return "aarch64-linux-gnu"
	case i.Machine == elf.EM_RISCV && i.Class == elf.ELFCLASS64:
		return "riscv64-linux-gnu"
	case i.Machine == elf.EM_386:
		return "i386-linux-gnu"
	case i.Machine == elf.EM_ARM:
		return "arm-linux-gnueabihf"
	case i.Machine == elf.EM_PPC64 && i.Data == elf.ELFDATA2LSB:
		return "powerpc64le-linux-gnu"
	case i.Machine == elf.EM_S390 && i.Class == elf.ELFCLASS64:
		return "s390x-linux-gnu"
	}
	return ""
}
