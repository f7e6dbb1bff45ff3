package elf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

const maxConf = 64 << 10 // bytes of one configuration file

// ConfFolders are the folders that /etc/ld.so.conf of t (ldconfig(8)) lists.
func ConfFolders(t *tree.Tree) ([]string, error) {
	c := &conf{tree: t}
	err := c.read("/etc/ld.so.conf")
	return c.folders, err
}

// conf is a configuration file and those that it includes.
type conf struct {
	tree    *tree.Tree
	entries map[string][]*tree.Node // of all folders, once an include asks for them
	seen    []string                // the files read, each only once
	folders []string
}

// read reads the file at p, if it is one.
func (c *conf) read(p string) error {
	p, err := c.tree.Resolve(p)
	if err != nil || slices.Contains(c.seen, p) || !c.tree.Get(p).Mode.IsRegular() {
		return nil
	}
	c.seen = append(c.seen, p)
	text, err := blob.ReadAll(c.tree.Get(p).Open(), maxConf)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n:,", r) })
		switch {
		case len(words) == 0 || words[0] == "hwcap":
		case words[0] == "include":
			for _, pattern := range words[1:] {
				if err := c.include(path.Dir(p), pattern); err != nil {
					return err
				}
			}
		default:
			c.folders = append(c.folders, slices.DeleteFunc(words, func(w string) bool { return !path.IsAbs(w) })...)
		}
	}
	return nil
}

// include reads the files that pattern matches, relative to dir where it is not absolute. Only its last element may
// hold wildcards.
func (c *conf) include(dir, pattern string) error {
	if !path.IsAbs(pattern) {
		pattern = path.Join(dir, pattern)
	}
	folder, err := c.tree.Resolve(path.Dir(pattern))
	if err != nil {
		return nil
	}
	if c.entries == nil {
		c.entries = c.tree.Folders()
	}
	for _, n := range c.entries[folder] {
		if ok, err := path.Match(path.Base(pattern), n.Name()); err != nil || !ok {
			continue
		}
		if err := c.read(n.Path); err != nil {
			return err
		}
	}
	return nil
}
