package containerd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/registries"
)

// hostsDir has a folder for each registry, with a file hosts.toml (containerd docs/hosts.md). containerd reads it with each
// pull.
const hostsDir = "/etc/cri/conf.d/hosts"

// hostFiles are the files of hostsDir for a configuration, by path below it.
func hostFiles(c v1alpha1.Registries) (map[string][]byte, error) {
	rules, err := registries.New(c)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	names := slices.Concat(slices.Collect(maps.Keys(c.Mirrors)), slices.Collect(maps.Keys(c.Config)))
	for _, name := range names {
		if name == registries.Wildcard && c.Mirrors[name].Endpoints == nil {
			continue // credentials for nobody
		}
		folder := hostFolder(name)
		w := hostWriter{dir: hostsDir, folder: folder, files: files}
		endpoints := rules.Endpoints(name)
		for i, e := range endpoints {
			last := i == len(endpoints)-1
			switch {
			case e.Origin && name == registries.Wildcard: // containerd knows each registry's own place
			case last:
				w.server(e)
			default:
				w.host(e)
			}
		}
		files[folder+"/hosts.toml"] = w.text()
	}
	return files, nil
}

// OnlyFrom are files for a folder dir like hostsDir, by path below it, with which the images of registry are asked for at one place.
func OnlyFrom(dir, registry string, e registries.Endpoint) map[string][]byte {
	w := hostWriter{dir: dir, folder: hostFolder(registry), files: map[string][]byte{}}
	w.server(e)
	w.files[w.folder+"/hosts.toml"] = w.text()
	return w.files
}

// hostFolder is what the folder of a registry is called.
func hostFolder(registry string) string {
	if registry == registries.Wildcard {
		return "_default"
	}
	if host, port, ok := strings.Cut(registry, ":"); ok {
		return host + "_" + port + "_"
	}
	return registry
}

// hostWriter writes a hosts.toml, whose hosts are asked in their order and then its server.
type hostWriter struct {
	dir, folder string            // folder is below dir
	files       map[string][]byte // where certificates go
	root, hosts bytes.Buffer
}

func (w *hostWriter) server(e registries.Endpoint) {
	fmt.Fprintf(&w.root, "server = %s\n", quote(e.URL.String()))
	w.settings(&w.root, e)
}

func (w *hostWriter) host(e registries.Endpoint) {
	fmt.Fprintf(&w.hosts, "\n[host.%s]\n", quote(e.URL.String()))
	w.settings(&w.hosts, e)
}

// text is the file. containerd 1.6 refuses one without a table of hosts.
func (w *hostWriter) text() []byte {
	if w.hosts.Len() == 0 {
		w.hosts.WriteString("\n[host]\n")
	}
	return append(w.root.Bytes(), w.hosts.Bytes()...)
}

func (w *hostWriter) settings(b *bytes.Buffer, e registries.Endpoint) {
	b.WriteString("capabilities = [\"pull\", \"resolve\"]\noverride_path = true\n") // the path has what it needs
	if e.Host.InsecureSkipVerify {
		b.WriteString("skip_verify = true\n")
	}
	file := func(suffix string, content []byte) string {
		name := path.Join(w.folder, hostFolder(e.URL.Host)+suffix)
		w.files[name] = content
		return quote(path.Join(w.dir, name))
	}
	if len(e.Host.CA) > 0 {
		fmt.Fprintf(b, "ca = %s\n", file("-ca.crt", e.Host.CA))
	}
	if len(e.Host.Certificate) > 0 {
		fmt.Fprintf(b, "client = [[%s, %s]]\n", file("-client.crt", e.Host.Certificate), file("-client.key", e.Host.Key))
	}
}

// quote is a TOML string. URLs and paths hold nothing that Go and TOML would escape differently.
func quote(s string) string { return strconv.Quote(s) }

// writeHosts makes hostsDir as c wants it. Registries of an earlier configuration are as if they were not configured.
func writeHosts(m kernel.Files, c v1alpha1.Registries) error {
	files, err := hostFiles(c)
	if err != nil {
		return err
	}
	have, err := m.ReadDir(hostsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range have {
		if name := e.Name() + "/hosts.toml"; files[name] == nil {
			files[name] = []byte{}
		}
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := path.Join(hostsDir, name)
		faults = append(faults, m.MkdirAll(path.Dir(p), 0o700), m.WriteFile(p, files[name], 0o600))
	}
	return errors.Join(faults...)
}

// authPart is the part of containerd's configuration with the credentials of registries, which hosts.toml has no place for.
func authPart(c v1alpha1.Registries) (Part, error) {
	configs := map[string]any{}
	for host, r := range c.Config {
		if a := r.Auth; a != nil {
			configs[host] = map[string]any{"auth": map[string]any{
				"username": a.Username, "password": a.Password, "auth": a.Auth, "identitytoken": a.IdentityToken,
			}}
		}
	}
	p := Part{Name: registriesPart}
	if len(configs) == 0 {
		return p, nil
	}
	var err error
	p.Text, err = toml.Marshal(map[string]any{"plugins": map[string]any{criPlugin: map[string]any{"registry": map[string]any{"configs": configs}}}})
	return p, err
}
