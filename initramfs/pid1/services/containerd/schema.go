package containerd

import "fmt"

// The plugins of version 3 of the schema that are one in version 2 (containerd 2.0, docs/cri/config.md).
const (
	criPlugin     = "io.containerd.grpc.v1.cri"
	imagesPlugin  = "io.containerd.cri.v1.images"
	runtimePlugin = "io.containerd.cri.v1.runtime"
)

// moved are the settings of imagesPlugin that are elsewhere in criPlugin, and where; the others have the same name there.
var moved = map[string]string{
	"snapshotter":                  "containerd",
	"disable_snapshot_annotations": "containerd",
	"discard_unpacked_layers":      "containerd",
}

// lower turns what a part says in version 3 of the schema into version 2, which every containerd since 1.3 reads.
func lower(tree map[string]any) error {
	plugins, ok := tree["plugins"].(map[string]any)
	if !ok {
		return nil
	}
	for _, id := range []string{runtimePlugin, imagesPlugin} {
		value, there := plugins[id]
		if !there {
			continue
		}
		delete(plugins, id)
		settings, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("plugins.%q is no table", id)
		}
		if id == imagesPlugin {
			settings = lowerImages(settings)
		}
		merge(plugins, map[string]any{criPlugin: settings})
	}
	return nil
}

// lowerImages are settings of imagesPlugin as criPlugin has them.
func lowerImages(settings map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range settings {
		if key == "pinned_images" {
			if pinned, ok := value.(map[string]any); ok {
				if sandbox, there := pinned["sandbox"]; there {
					out["sandbox_image"] = sandbox
				}
			}
			continue
		}
		if table, ok := moved[key]; ok {
			merge(out, map[string]any{table: map[string]any{key: value}})
			continue
		}
		merge(out, map[string]any{key: value})
	}
	return out
}
