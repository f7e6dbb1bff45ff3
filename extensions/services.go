package extensions

import (
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/extservice"
)

// services checks the descriptions of services, and that each has a container to run.
func (c *checker) services() {
	owners := map[string]string{} // the file that describes a service, by the service's name
	for _, n := range c.root.Nodes() {
		if path.Dir(n.Path) != extservice.SpecFolder || n.Mode.IsDir() {
			continue
		}
		file := path.Join(RootFolder, n.Path)
		if !n.Mode.IsRegular() || path.Ext(n.Path) != ".yaml" {
			c.warn(n.Path, "", "is ignored: the description of a service is a file that ends in .yaml")
			continue
		}
		s, err := readService(inside(c.opts.Name, file), n)
		if err != nil {
			c.addError(file, err)
		}
		if s == nil || s.Name == "" {
			continue
		}
		if first, twice := owners[s.Name]; twice {
			c.fault(n.Path, "", "describes the service %s, as %s does", s.Name, first)
			continue
		}
		owners[s.Name] = n.Path
		c.container(n.Path, s)
	}
}

// readService is also what could be read of a description that has findings; it is nil where there is none.
func readService(name string, n *tree.Node) (*extservice.Spec, error) {
	text, err := blob.ReadAll(n.Open(), maxDocument)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	return extservice.Parse(name, text)
}

// container wants the service s, described in the file p, to find its root file system and its program.
func (c *checker) container(p string, s *extservice.Spec) {
	c.mounted[s.Name] = slices.ContainsFunc(s.Container.Mounts, func(m extservice.Mount) bool { return m.Type != "tmpfs" && m.Source != "" })
	folder := path.Join(extservice.RootFolder, s.Name)
	root := sub(c.root, folder)
	if n := c.root.Get(folder); n == nil || !n.Mode.IsDir() {
		c.fault(p, "make the folder", "the container of service %s has no root file system at /%s", s.Name, folder)
		return
	}
	entry := s.Container.Entrypoint
	if entry == "" || c.mounted[s.Name] && root.Get(strings.TrimPrefix(path.Clean("/"+entry), "/")) == nil {
		return // the program may be in what is mounted
	}
	at, err := root.Resolve(entry)
	switch {
	case err != nil:
		c.fault(p, "", "the entrypoint %s is not in /%s", entry, folder)
	case !root.Get(at).Mode.IsRegular():
		c.fault(p, "", "the entrypoint %s is no file", entry)
	case root.Get(at).Mode.Perm()&0o111 == 0:
		c.fault(p, "chmod +x", "the entrypoint %s is not executable", entry)
	}
}
