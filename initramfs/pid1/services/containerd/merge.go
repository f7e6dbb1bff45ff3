package containerd

import (
	"errors"
	"fmt"
	"maps"

	"github.com/pelletier/go-toml/v2"
)

// Part is a part of containerd's configuration: TOML.
type Part struct {
	Name string // file that it is from
	Text []byte
}

// maxPart is how long a part may be, in bytes.
const maxPart = 1 << 20

// Merge is the configuration that parts make: tables are joined, and of anything else the last has its way. A part that is
// no TOML, or not for version 2 or 3 of the schema, is left out; the error names its file and line. The text is there
// whatever the error.
func Merge(parts []Part) ([]byte, error) {
	all := map[string]any{}
	var faults []error
	for _, p := range parts {
		tree, err := p.parse()
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w; it is left out", p.Name, err))
			continue
		}
		merge(all, tree)
	}
	all["version"] = int64(2)
	text, err := toml.Marshal(all)
	return text, errors.Join(append(faults, err)...)
}

// parse is the part in version 2 of the schema.
func (p Part) parse() (map[string]any, error) {
	if len(p.Text) > maxPart {
		return nil, fmt.Errorf("more than %d bytes", maxPart)
	}
	tree := map[string]any{}
	if err := toml.Unmarshal(p.Text, &tree); err != nil {
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := at.Position()
			return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
		}
		return nil, err
	}
	switch version := tree["version"]; version {
	case nil, int64(2), int64(3):
	default:
		return nil, fmt.Errorf("version = %v: containerd's configuration is of version 2 or 3", version)
	}
	return tree, lower(tree)
}

// merge puts what is in over into base.
func merge(base, over map[string]any) {
	for key, value := range over {
		table, ok := value.(map[string]any)
		below, both := base[key].(map[string]any)
		switch {
		case ok && both:
			merge(below, table)
		case ok:
			base[key] = maps.Clone(table)
		default:
			base[key] = value
		}
	}
}
