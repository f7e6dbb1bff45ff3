package containerd

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// at is the value at a path of keys in TOML.
func at(t *testing.T, text []byte, keys ...string) any {
	t.Helper()
	tree := map[string]any{}
	if err := toml.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	var v any = tree
	for _, k := range keys {
		table, _ := v.(map[string]any)
		v = table[k]
	}
	return v
}

// TestGuide: the guide's examples have their effect in the schema that the base's containerd reads.
func TestGuide(t *testing.T) {
	text, err := Merge([]Part{
		{"base", []byte(defaults)},
		{"a", []byte("[metrics]\n  address = \"0.0.0.0:11234\"\n")},
		{"b", []byte("[plugins]\n  [plugins.\"io.containerd.cri.v1.images\".pinned_images]\n    sandbox = \"registry.k8s.io/pause:3.8\"\n")},
		{"c", []byte("[plugins]\n [plugins.\"io.containerd.cri.v1.runtime\"]\n  [plugins.\"io.containerd.cri.v1.runtime\".containerd]\n   default_runtime_name = \"nvidia\"\n")},
		{"d", []byte("version = 3\n[plugins.\"io.containerd.cri.v1.images\"]\nsnapshotter = \"native\"\nmax_concurrent_downloads = 7\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want any
		path []string
	}{
		{int64(2), []string{"version"}},
		{"0.0.0.0:11234", []string{"metrics", "address"}},
		{"registry.k8s.io/pause:3.8", []string{"plugins", criPlugin, "sandbox_image"}},
		{"nvidia", []string{"plugins", criPlugin, "containerd", "default_runtime_name"}},
		{"native", []string{"plugins", criPlugin, "containerd", "snapshotter"}},
		{int64(7), []string{"plugins", criPlugin, "max_concurrent_downloads"}},
		{hostsDir, []string{"plugins", criPlugin, "registry", "config_path"}},
		{"io.containerd.runc.v2", []string{"plugins", criPlugin, "containerd", "runtimes", "runc", "runtime_type"}},
		{nil, []string{"plugins", imagesPlugin}},
		{nil, []string{"plugins", runtimePlugin}},
	} {
		if got := at(t, text, c.path...); got != c.want {
			t.Errorf("%q is %v, want %v", c.path, got, c.want)
		}
	}
}

// TestMerge: tables are joined, the last has its way, and the same parts give the same text.
func TestMerge(t *testing.T) {
	for _, c := range []struct{ name, a, b, want string }{
		{"value", "a = 1", "a = 2", "a = 2\nversion = 2\n"},
		{"list", "a = [1, 2]", "a = [3]", "a = [3]\nversion = 2\n"},
		{"table", "[t]\na = 1\nb = 1", "[t]\nb = 2", "version = 2\n\n[t]\na = 1\nb = 2\n"},
		{"table over value", "t = 1", "[t]\nb = 2", "version = 2\n\n[t]\nb = 2\n"},
		{"value over table", "[t]\nb = 2", "t = 1", "t = 1\nversion = 2\n"},
	} {
		for range 3 {
			text, err := Merge([]Part{{"a", []byte(c.a)}, {"b", []byte(c.b)}})
			if err != nil || string(text) != c.want {
				t.Errorf("%s: %q, %v; want %q", c.name, text, err, c.want)
			}
		}
	}
}

// TestBadParts: a part that cannot be used is named with its line, and the others have their effect.
func TestBadParts(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nb = = 2":  "bad.part: line 2, column 5: ",
		"version = 1":     "bad.part: version = 1: ",
		"version = \"2\"": "bad.part: version = 2: ",
		"plugins.\"io.containerd.cri.v1.images\"=1": "is no table",
		"\xff":                         "bad.part: ",
		strings.Repeat("#", maxPart+1): "more than 1048576 bytes",
	} {
		merged, err := Merge([]Part{{"good", []byte("good = 1")}, {"bad.part", []byte(text)}, {"later", []byte("later = 1")}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "left out") {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
		if at(t, merged, "good") != int64(1) || at(t, merged, "later") != int64(1) {
			t.Errorf("%.30q: %s", text, merged)
		}
	}
}

// TestConfigure: parts count in the order of their names, the customization comes from the machine configuration.
func TestConfigure(t *testing.T) {
	m := fake.New(t, map[string]string{
		"etc/cri/conf.d/00-base.part":          "oom_score = -1\n[metrics]\naddress = \"base\"",
		"etc/cri/conf.d/10-ext.part":           "[metrics]\naddress = \"extension\"\ngrpc_histogram = true",
		"etc/cri/conf.d/20-customization.part": "[metrics]\naddress = \"of the image\"",
		"etc/cri/conf.d/30-last.part":          "x = 1",
		"etc/cri/conf.d/readme":                "= =",
	})
	c := load(t, `
  files:
    - {path: /etc/cri/conf.d/20-customization.part, op: create, content: "x = 0\n[metrics]\naddress = \"machine\""}
  registries:
    config:
      harbor: {auth: {username: admin, password: hunter2}}
`)
	text, err := Configure(m, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		want any
		path []string
	}{
		{"machine", []string{"metrics", "address"}},
		{true, []string{"metrics", "grpc_histogram"}},
		{int64(-1), []string{"oom_score"}},
		{int64(1), []string{"x"}},
		{"admin", []string{"plugins", criPlugin, "registry", "configs", "harbor", "auth", "username"}},
	} {
		if got := at(t, text, w.path...); got != w.want {
			t.Errorf("%q is %v, want %v", w.path, got, w.want)
		}
	}
	if text, err := Configure(fake.New(t, nil), nil); err != nil || at(t, text, "oom_score") != int64(-999) {
		t.Errorf("without parts and configuration: %s, %v", text, err)
	}
}

// load is a machine configuration with more in its machine part.
func load(t *testing.T, machine string) *config.Config {
	t.Helper()
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine:\n  type: worker"+machine))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHosts: hosts.toml has the mirrors in their order, and the registry itself unless the configuration is against it.
func TestHosts(t *testing.T) {
	c := load(t, `
  registries:
    mirrors:
      docker.io: {endpoints: ["http://10.5.0.1:5000", "https://harbor/base"]}
      ghcr.io: {endpoints: ["https://first", "http://harbor/v2/proxy-ghcr.io"], overridePath: true, skipFallback: true}
      "*": {endpoints: ["http://any:5000"]}
      local:5000: {endpoints: []}
    config:
      harbor: {tls: {insecureSkipVerify: true}}
      local:5000: {tls: {insecureSkipVerify: true}}
`)
	files, err := hostFiles(c.Main().Machine.Registries)
	if err != nil {
		t.Fatal(err)
	}
	const how = "capabilities = [\"pull\", \"resolve\"]\noverride_path = true\n"
	want := map[string]string{
		"docker.io/hosts.toml": "server = \"https://registry-1.docker.io/v2\"\n" + how +
			"\n[host.\"http://10.5.0.1:5000/v2\"]\n" + how + "\n[host.\"https://harbor/base/v2\"]\n" + how + "skip_verify = true\n",
		"ghcr.io/hosts.toml":     "server = \"http://harbor/v2/proxy-ghcr.io\"\n" + how + "skip_verify = true\n\n[host.\"https://first\"]\n" + how,
		"_default/hosts.toml":    "\n[host.\"http://any:5000/v2\"]\n" + how,
		"local_5000_/hosts.toml": "server = \"https://local:5000/v2\"\n" + how + "skip_verify = true\n\n[host]\n",
		"harbor/hosts.toml":      "server = \"https://harbor/v2\"\n" + how + "skip_verify = true\n\n[host.\"http://any:5000/v2\"]\n" + how,
	}
	if !slices.Equal(slices.Sorted(maps.Keys(files)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("files %q", slices.Sorted(maps.Keys(files)))
	}
	for name, text := range want {
		if string(files[name]) != text {
			t.Errorf("%s:\n%s\nwant:\n%s", name, files[name], text)
		}
	}
}

// TestHostsOfBefore: a registry that the configuration no longer has is as if it had never had it.
func TestHostsOfBefore(t *testing.T) {
	m := fake.New(t, nil)
	mirrors := func(name string) v1alpha1.Registries {
		return v1alpha1.Registries{Mirrors: map[string]v1alpha1.Mirror{name: {Endpoints: []string{"http://a"}}}}
	}
	for _, name := range []string{"one", "two"} {
		if err := writeHosts(m, mirrors(name)); err != nil {
			t.Fatal(err)
		}
	}
	one, err := m.ReadFile(hostsDir + "/one/hosts.toml")
	two, _ := m.ReadFile(hostsDir + "/two/hosts.toml")
	if err != nil || len(one) > 0 || !strings.Contains(string(two), "http://a/v2") {
		t.Errorf("one %q, %v; two %q", one, err, two)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(defaults, "[plugins.\"io.containerd.cri.v1.images\"]\nsnapshotter = \"x\"\ncontainerd = 1")
	f.Add("a.b.c = [{x = 1}]", "version = 3\n[a]\nb = 1979-05-27")
	f.Fuzz(func(t *testing.T, a, b string) {
		text, err := Merge([]Part{{"a", []byte(a)}, {"b", []byte(b)}})
		if again, _ := Merge([]Part{{"merged", text}}); err == nil && string(again) != string(text) {
			t.Errorf("%q became\n%s\nand then\n%s", []string{a, b}, text, again)
		}
	})
}
