package kmod

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// ReadIndex reads the index files that Files or depmod(8) wrote, in fsys, which is lib/modules/<release>. Only modules.dep
// must be there. The aliases that Files wrote are used as they are; those of depmod are sorted first.
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
	var modules []*Module
	var slab []Module // one allocation for many
	err := lines(fileDep, content, func(line string) error {
		path, depends, ok := strings.Cut(line, ":")
		if !ok || !IsModule(path) {
			return errors.New("does not say \"path/of/module.ko: what it depends on\"")
		}
		if len(slab) == 0 {
			slab = make([]Module, 256)
		}
		slab[0] = Module{Name: Name(path), Path: path, dep: depends}
		modules, slab = append(modules, &slab[0]), slab[1:]
		return nil
	})
	return modules, err
}

func parseAliases(content string) (aliases, error) {
	if sorted, ok := strings.CutPrefix(content, sortedHeader); ok && strings.HasSuffix(content, "\n") {
		return aliases(sorted), nil
	}
	var out []string
	err := lines(fileAlias, content, func(line string) error {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "alias" {
			return errors.New("does not say \"alias pattern module\"")
		}
		out = append(out, aliasLine(words[1], words[2]))
		return nil
	})
	return newAliases(out), err
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
