package container

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/bootwright/bootwright/machine/config/kinds"
)

// writeFiles writes the files that a configuration gives the container and returns the mounts that show them there, read-only.
// A file is named by its number, so that no two paths are one file.
func (c *container) writeFiles(e *kinds.ExtensionServiceConfig) ([]specs.Mount, error) {
	if e == nil {
		return nil, nil
	}
	dir := c.dir + "/files"
	if err := c.M.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var mounts []specs.Mount
	for i, f := range e.ConfigFiles {
		source := path.Join(dir, fmt.Sprint(i))
		if err := c.M.WriteFile(source, []byte(f.Content), 0o644); err != nil { // any user in the container may read it
			return nil, err
		}
		mounts = append(mounts, specs.Mount{Destination: f.MountPath, Type: "bind", Source: source, Options: []string{"rbind", "ro"}})
	}
	return mounts, nil
}

// searchPath is where programs are, unless the service says otherwise.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is that of the container: of two settings of a variable the later counts.
func (c *container) environment(e *kinds.ExtensionServiceConfig) ([]string, error) {
	all := append([]string{searchPath}, c.spec.Container.Environment...)
	if name := c.spec.Container.EnvironmentFile; name != "" {
		text, err := c.M.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("the environment file: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				all = append(all, line)
			}
		}
	}
	if e != nil {
		all = append(all, e.Environment...)
	}
	at := map[string]int{}
	var out []string
	for _, setting := range all {
		name, _, _ := strings.Cut(setting, "=")
		if i, again := at[name]; again {
			out[i] = setting
			continue
		}
		at[name] = len(out)
		out = append(out, setting)
	}
	return out, nil
}
