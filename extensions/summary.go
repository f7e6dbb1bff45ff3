package extensions

import (
	"fmt"
	"io"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/machine/extservice"
)

// Summary is what an extension brings.
type Summary struct {
	Manifest *Manifest `json:"manifest"`
	Files    int       `json:"files"`    // and symbolic links
	Bytes    int64     `json:"bytes"`    // of their contents
	Modules  []Module  `json:"modules"`  // kernel modules
	Firmware []string  `json:"firmware"` // files below /usr/lib/firmware, from there
	Services []Service `json:"services"`
}

// Module is one kernel module.
type Module struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"` // in the root file system
	Release string   `json:"release"`
	Version string   `json:"version,omitempty"`
	License string   `json:"license,omitempty"`
	Depends []string `json:"depends,omitempty"`
	Signed  bool     `json:"signed"`
}

// Service is one extension service.
type Service struct {
	Name       string `json:"name"`
	Path       string `json:"path"` // of its description in the root file system
	Entrypoint string `json:"entrypoint"`
	Restart    string `json:"restart,omitempty"`
}

// Summarize reads what the extension t brings. The first thing it cannot read is an error, which calls the extension
// name; Validate says all.
func Summarize(name string, t *tree.Tree) (*Summary, error) {
	m, err := ReadManifest(name, t)
	if err != nil {
		return nil, err
	}
	s := &Summary{Manifest: m, Modules: []Module{}, Firmware: []string{}, Services: []Service{}}
	for _, n := range Root(t).Nodes() {
		if n.Mode.IsDir() {
			continue
		}
		s.Files++
		s.Bytes += n.Size()
		if err := s.add(n); err != nil {
			return nil, fmt.Errorf("%s: %w", inside(name, path.Join(RootFolder, n.Path)), err)
		}
	}
	return s, nil
}

func (s *Summary) add(n *tree.Node) error {
	_, rest, inModules := moduleFile(n.Path)
	switch {
	case isFirmware(n.Path):
		s.Firmware = append(s.Firmware, strings.TrimPrefix(strings.TrimPrefix(n.Path, "usr/"), "lib/firmware/"))
	case !n.Mode.IsRegular():
	case inModules && kmod.IsModule(n.Path):
		m, err := kmod.Read(rest, n.Open())
		if err != nil {
			return err
		}
		s.Modules = append(s.Modules, Module{m.Name, n.Path, m.Release(), m.Version, m.License, m.Depends, m.Signed})
	case path.Dir(n.Path) == extservice.SpecFolder && path.Ext(n.Path) == ".yaml":
		spec, err := readService(n.Path, n)
		if err != nil {
			return err
		}
		s.Services = append(s.Services, Service{spec.Name, n.Path, spec.Container.Entrypoint, spec.Restart})
	}
	return nil
}

// WriteText writes the summary for people.
func (s *Summary) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	m := s.Manifest.Metadata
	for _, field := range [][2]string{
		{"name", m.Name}, {"version", m.Version}, {"author", m.Author}, {"for", m.Compatibility.Talos.Version},
		{"about", strings.Join(strings.Fields(m.Description), " ")}, {"extra", strings.Join(strings.Fields(m.ExtraInfo), " ")},
		{"holds", fmt.Sprintf("%d files, %d bytes", s.Files, s.Bytes)},
	} {
		if field[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", field[0], field[1])
		}
	}
	for _, m := range s.Modules {
		signed := "not signed"
		if m.Signed {
			signed = "signed"
		}
		fmt.Fprintf(t, "module\t%s, kernel %s, %s\n", strings.TrimSpace(m.Name+" "+m.Version), m.Release, signed)
	}
	for _, f := range s.Firmware {
		fmt.Fprintf(t, "firmware\t%s\n", f)
	}
	for _, v := range s.Services {
		fmt.Fprintf(t, "service\t%s runs %s\n", v.Name, v.Entrypoint)
	}
	return t.Flush()
}
