package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootServices boots an ISO with an extension that brings three services: one that answers HTTP, one that shows what
// containerd's configuration has come to, and one that cannot run. containerd is the base's.
func TestBootServices(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(config, []byte(serviceConfig()), 0o600); err != nil {
		t.Fatal(err)
	}
	machine := withoutLoader(t, baked(config, "--system-extension-image", serviceExtension(t, dir))...)
	web, metrics := freePort(t), freePort(t)
	go func() {
		page := get(t, web, "/")
		if page != "from the configuration somebody [--loud]\n" {
			t.Errorf("the service answers %q", page)
		}
		if page := get(t, metrics, "/v1/metrics"); !strings.Contains(page, `container_id="ext-hello"`) {
			t.Errorf("containerd's metrics: %.300q", page)
		}
		t.Logf("resident memory:\n%s", get(t, web, "/memory"))
		time.Sleep(5 * time.Second) // for the last report
		get(t, web, "/end")
	}()
	machine.Until, machine.ExtraArgs = regexp.MustCompile("hello: was told the end"), []string{
		"-netdev", fmt.Sprintf("user,id=services,hostfwd=tcp:127.0.0.1:%d-:8080,hostfwd=tcp:127.0.0.1:%d-:11234", web, metrics),
		"-device", "virtio-net-pci,netdev=services",
	}
	console := vmtest.Boot(t, machine)
	if !strings.Contains(console, `ext-dump: sandbox_image = "registry.k8s.io/pause:3.8"`) {
		t.Error("containerd config dump does not have the pinned sandbox image")
	}
	r, err := bootreport.Find([]byte(console))
	if err != nil {
		t.Fatal(err)
	}
	checkServices(t, r)
}

func checkServices(t *testing.T, r *bootreport.Report) {
	t.Helper()
	if len(r.Extensions) != 1 || !strings.HasPrefix(r.Extensions[0].ID, "000.") || r.Extensions[0].Metadata.Author != "somebody" {
		t.Errorf("extensions %+v", r.Extensions)
	}
	states := map[string]string{}
	for _, s := range r.Services {
		states[s.Name] = strings.TrimSpace(s.State + " " + s.Reason)
		t.Logf("%+v", s)
	}
	for name, want := range map[string]string{
		"containerd": "running", "ext-hello": "running", "ext-dump": "finished",
		"ext-bad": "failed ctr: exit status 1: exec /nothing: exec format error",
	} {
		if states[name] != want {
			t.Errorf("service %s is %q, want %q", name, states[name], want)
		}
	}
}

func serviceConfig() string {
	machine := `machine:
  files:
    - content: |
        [plugins]
          [plugins."io.containerd.cri.v1.images".pinned_images]
            sandbox = "registry.k8s.io/pause:3.8"
        [metrics]
          address = "0.0.0.0:11234"
      path: /etc/cri/conf.d/20-customization.part
      op: create
`
	return strings.Replace(configareatest.Worker("node"), "machine:\n", machine, 1) + `---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: hello
configFiles:
  - content: from the configuration
    mountPath: /etc/hello/greeting
environment:
  - WHO=somebody
`
}

// serviceExtension makes the folder of an extension below dir.
func serviceExtension(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "extension")
	write := func(name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const specs, roots = "rootfs/usr/local/etc/containers/", "rootfs/usr/local/lib/containers/"
	write("manifest.yaml", "version: v1alpha1\nmetadata: {name: hello, version: 1.0.0, author: somebody, compatibility: {talos: {version: '>= v1.9.0'}}}\n")
	write(specs+"hello.yaml", `name: hello
container:
  entrypoint: /hello
  args: [--loud]
  environment: [WHO=nobody]
  mounts:
    - {source: /proc, destination: /host/proc, type: bind, options: [rbind, ro]}
    - {source: /sys, destination: /host/sys, type: bind, options: [rbind, ro]}
    - {source: /run, destination: /host/run, type: bind, options: [rbind, ro]}
    - {source: /run/containerd, destination: /run/containerd, type: bind, options: [rbind, rw]}
    - {source: /usr, destination: /usr, type: bind, options: [rbind, ro]}
    - {source: /lib, destination: /lib, type: bind, options: [rbind, ro]}
    - {source: /lib64, destination: /lib64, type: bind, options: [rbind, ro]}
depends:
  - configuration: true
  - network: [addresses, connectivity, hostname, etcfiles]
restart: always
logToConsole: true
`)
	write(specs+"dump.yaml", `name: dump
container:
  entrypoint: /usr/bin/containerd
  args: [--config, /etc/cri/containerd.toml, config, dump]
  mounts:
    - {source: /usr, destination: /usr, type: bind, options: [rbind, ro]}
    - {source: /etc, destination: /etc, type: bind, options: [rbind, ro]}
    - {source: /lib, destination: /lib, type: bind, options: [rbind, ro]}
    - {source: /lib64, destination: /lib64, type: bind, options: [rbind, ro]}
restart: never
logToConsole: true
`)
	write(roots+"dump/usr/bin/containerd", "the machine's is mounted over it")
	write(specs+"bad.yaml", "name: bad\ncontainer: {entrypoint: /nothing}\n")
	write(roots+"bad/nothing", "not a program\n")
	for _, dir := range []string{"proc", "dev", "sys", "run"} { // for a container on the machine's own root
		write(roots+"hello/"+dir+"/.keep", "")
	}
	program := filepath.Join(root, roots, "hello/hello")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/hello")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return root
}

// freePort is a port of the loopback that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tell asks once, and takes no answer.
func tell(port int, path string) {
	client := http.Client{Timeout: time.Second}
	if r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path)); err == nil {
		r.Body.Close()
	}
}

// get asks until there is an answer or the test ends.
func get(t *testing.T, port int, path string) string {
	for t.Context().Err() == nil {
		client := http.Client{Timeout: 20 * time.Second}
		if r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path)); err == nil {
			text, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err == nil {
				return string(text)
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	return ""
}
