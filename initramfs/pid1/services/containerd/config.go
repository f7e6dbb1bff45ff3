package containerd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

const (
	// ConfigPath is the configuration that containerd runs with, made of the parts.
	ConfigPath = "/etc/cri/containerd.toml"
	partsDir   = "/etc/cri/conf.d"
	// Customization is the part that a machine configuration brings, in machine.files.
	Customization  = partsDir + "/20-customization.part"
	registriesPart = partsDir + "/01-registries.part"
)

// defaults is the lowest part.
const defaults = `# The machine's own settings. Parts come over it.
oom_score = -999

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "` + hostsDir + `"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

// Configure is the text for ConfigPath: the machine's own part, those of the base and of extensions, and what the machine
// configuration c says, which may be nil; in the order of their names. What cannot be used is left out, and the error says why.
func Configure(m kernel.Files, c *config.Config) ([]byte, error) {
	parts := map[string]Part{}
	faults := readParts(m, parts)
	if main := mainOf(c); main != nil {
		auth, err := authPart(main.Machine.Registries)
		faults = append(faults, err)
		parts[auth.Name] = auth
		for _, f := range main.Machine.Files {
			if path.Clean(f.Path) == Customization {
				parts[Customization] = Part{Name: Customization, Text: []byte(f.Content)}
			}
		}
	}
	all := []Part{{Name: "the machine's own settings", Text: []byte(defaults)}}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		all = append(all, parts[name])
	}
	text, err := Merge(all)
	return text, errors.Join(append(faults, err)...)
}

func mainOf(c *config.Config) *v1alpha1.Config {
	if c == nil {
		return nil
	}
	return c.Main()
}

// readParts reads the parts that the root brings.
func readParts(m kernel.Files, into map[string]Part) (faults []error) {
	entries, err := m.ReadDir(partsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, err)
	}
	for _, e := range entries {
		name := path.Join(partsDir, e.Name())
		if !strings.HasSuffix(name, ".part") {
			continue
		}
		text, err := readAtMost(m, name, maxPart)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		into[name] = Part{Name: name, Text: text}
	}
	return faults
}

func readAtMost(m kernel.Files, name string, most int64) ([]byte, error) {
	f, err := m.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return text, err
}
