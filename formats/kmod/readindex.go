package kmod

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// ReadIndex reads the index files that Files or depmod(8) wrote, in fsys, which is lib/modules/<release>. Only modules.dep
// must be there. A modules.alias in the order of Files is used as it is, which for 26,000 aliases takes some 5 ms.
func ReadIndex(fsys fs.FS) (*Index, error) {
	var files [6]string
	for i, name := range []string{fileDep, fileAlias, fileSoftdep, fileBuiltin, fileBuiltinModinfo, fileOrder} {
		content, err := readFile(fsys, name)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && name != fileDep) {
			return nil, err
		}
		files[i] = content
	}
	x := &Index{kernel: KernelFiles{files[3], files[4], files[5]}}
	modules, err := parseDep(files[0])
	if err != nil {
		return nil, err
	}
	x.setModules(modules)
	if x.aliases, err = parseAliases(files[1]); err != nil {
		return nil, err
	}
	if err := x.parseSoftdeps(files[2]); err != nil {
		return nil, err
	}
	x.setBuiltin()
	return x, nil
}

func readFile(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	if st, err := f.Stat(); err == nil {
		b.Grow(int(min(max(st.Size(), 0), maxFile)))
	}
	n, err := io.Copy(&b, io.LimitReader(f, maxFile+1))
	if err == nil && n > maxFile {
		err = report.Errorf(report.Invalid, "%s: larger than %d bytes", name, maxFile)
	}
	return b.String(), err
}

// lines calls f with each line that is neither empty nor a comment. Its error is given the place.
func lines(name, content string, f func(line string) error) error {
	number := 0
	for line := range strings.SplitSeq(content, "\n") {
		number++
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(line); err != nil {
			return report.Errorf(report.Invalid, "%s:%d: %w", name, number, err)
		}
	}
	return nil
}

func parseDep(content string) ([]*Module, error) {
	slab := make([]Module, 0, strings.Count(content, "\n")+1) // one allocation for all of them
	var modules []*Module
	err := lines(fileDep, content, func(line string) error {
		path, depends, ok := strings.Cut(line, ":")
		if !ok || !IsModule(path) {
			return errors.New("does not say \"path/of/module.ko: what it depends on\"")
		}
		slab = append(slab, Module{Name: Name(path), Path: path})
		m := &slab[len(slab)-1]
		for d := range strings.FieldsSeq(depends) {
			m.Depends = append(m.Depends, Name(d))
		}
		slices.Reverse(m.Depends) // now the first to load comes first
		modules = append(modules, m)
		return nil
	})
	return modules, err
}

func parseAliases(content string) (aliases, error) {
	out := make(aliases, 0, strings.Count(content, "\n"))
	err := lines(fileAlias, content, func(line string) error {
		rest, ok := strings.CutPrefix(line, "alias ")
		pattern, module, ok2 := strings.Cut(rest, " ")
		if !ok || !ok2 || strings.Contains(module, " ") {
			return errors.New("does not say \"alias pattern module\"")
		}
		out = append(out, alias{normal(pattern), module})
		return nil
	})
	out.sort()
	return out, err
}

func (x *Index) parseSoftdeps(content string) error {
	return lines(fileSoftdep, content, func(line string) error {
		rest, ok := strings.CutPrefix(line, "softdep ")
		name, deps, ok2 := strings.Cut(rest, " ")
		if !ok || !ok2 {
			return errors.New("does not say \"softdep module pre: … post: …\"")
		}
		if i, ok := x.byName[name]; ok {
			x.modules[i].addSoftdep(deps)
		}
		return nil
	})
}
