package generate

import (
	"reflect"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// doc is what the field at a path of the main document means, as its type says it, or "" for a field without a type.
func doc(path string) string {
	t, text := reflect.TypeFor[v1alpha1.Config](), ""
	for name := range strings.SplitSeq(path, ".") {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
		fields := yamldoc.Fields(t)
		i := slices.IndexFunc(fields, func(f yamldoc.Field) bool { return f.Name == name })
		if i < 0 {
			return ""
		}
		t, text = fields[i].Type, fields[i].Tag.Get("doc")
	}
	return text
}

// examples are fields that could be set, as YAML to show beside the field at a path.
func examples() map[string]string {
	return map[string]string{
		"machine.kubelet": `kubelet:
    extraArgs:
        rotate-server-certificates: "true"
    nodeIP:
        validSubnets:
            - 10.0.0.0/8
`,
		"machine.network": `network:
    hostname: worker-1
    interfaces:
        - interface: eth0
          addresses:
              - 192.168.2.10/24
          routes:
              - network: 0.0.0.0/0
                gateway: 192.168.2.1
    nameservers:
        - 192.168.2.1
`,
		"machine.install": `install:
    diskSelector:
        size: '>= 100GB'
    extraKernelArgs:
        - console=ttyS1
`,
		"machine.registries": `registries:
    mirrors:
        docker.io:
            endpoints:
                - https://mirror.example
    config:
        mirror.example:
            auth:
                username: name
                password: password
`,
		"cluster.network":   "network:\n    cni:\n        name: none\n",
		"cluster.apiServer": "apiServer:\n    extraArgs:\n        feature-gates: ServerSideApply=true\n",
	}
}
