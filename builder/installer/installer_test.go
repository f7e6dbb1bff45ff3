package installer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/container"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/builder/installer"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
)

var epoch = time.Unix(1700000000, 0)

func image(t testing.TB, arch, version string) oci.Image {
	t.Helper()
	files := map[string]blob.Blob{}
	for _, name := range []string{bootassets.Kernel, bootassets.Root, bootassets.SDBoot, bootassets.Stub, bootassets.GRUBBoot, bootassets.GRUBCore} {
		if arch == "arm64" && strings.HasPrefix(name, "grub") {
			continue
		}
		files[name] = blob.String(strings.Repeat(name+arch, 1000))
	}
	files[bootassets.Head], files[bootassets.Tail] = blob.String("head of "+version), blob.String("tail")
	d := bootassets.Description{Version: version, Arch: arch, Platform: "metal", Cmdline: "quiet", Epoch: epoch.Unix()}
	assets, err := bootassets.New(t.Context(), d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	im, err := installer.Image(t.Context(), blob.String("#!program of "+arch), assets)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func archive(t testing.TB, images ...oci.Image) string {
	t.Helper()
	a, err := container.Archive(images, "v1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	return oracle.File(t, a)
}

// TestShared: installers of one base share all layers but the last one, and the same one is the same bytes.
func TestShared(t *testing.T) {
	a, b := image(t, "amd64", "v1"), image(t, "amd64", "v2")
	for i := range a.Files {
		if same := a.Files[i].Digest == b.Files[i].Digest; same != (i < len(a.Files)-1) {
			t.Errorf("layer %d: the same is %v", i, same)
		}
	}
	again := image(t, "amd64", "v1")
	if string(again.Config) != string(a.Config) || again.Files[4].Digest != a.Files[4].Digest {
		t.Error("the same installer has other bytes")
	}
	var config v1.ConfigFile
	if err := json.Unmarshal(a.Config, &config); err != nil || !config.Created.Equal(epoch) || config.Config.Entrypoint[0] != "/bin/installer" {
		t.Errorf("%v: %s", err, a.Config)
	}
}

// checkRoot looks at an unpacked installer as the installer itself does.
func checkRoot(t *testing.T, root string) {
	t.Helper()
	st, err := os.Stat(filepath.Join(root, installer.Program))
	if err != nil || st.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", st, err)
	}
	a, err := bootassets.Open(filepath.Join(root, bootassets.Folder, "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Verify(t.Context()); err != nil || a.Version != "v1" {
		t.Error(a.Version, err)
	}
}

// checkLayers reads every layer as go-containerregistry does and compares it with the config.
func checkLayers(t *testing.T, im v1.Image) {
	t.Helper()
	config, err := im.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := im.Layers()
	if err != nil || len(layers) != len(config.RootFS.DiffIDs) {
		t.Fatal(len(layers), err)
	}
	for i, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if got := blob.SumBytes(text); err != nil || string(got) != config.RootFS.DiffIDs[i].String() {
			t.Errorf("layer %d: %s, %v", i, got, err)
		}
	}
}

// checkCrane pulls an installer and unpacks it, as crane does.
func checkCrane(t *testing.T, ref string) {
	t.Helper()
	im, err := crane.Pull(ref, crane.Insecure, crane.WithPlatform(&v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "root.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(crane.Export(im, file), file.Close()); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, oracle.Need(t, "tar"), "-C", dir, "-xf", file.Name())
	checkRoot(t, dir)
}

// TestArchive has skopeo, umoci and go-containerregistry read an archive, as an OCI layout and as docker's.
func TestArchive(t *testing.T) {
	for _, tool := range []string{"skopeo", "umoci", "bsdtar"} {
		oracle.Need(t, tool)
	}
	file := archive(t, image(t, "amd64", "v1"))
	layout := filepath.Join(t.TempDir(), "layout")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "oci-archive:"+file+":v1", "oci:"+layout+":v1")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "docker-archive:"+file, "dir:"+t.TempDir())
	if out := oracle.Run(t, "skopeo", "inspect", "oci-archive:"+file); !strings.Contains(out, `"Created": "2023-11-14T22:13:20Z"`) {
		t.Error(out)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	oracle.Run(t, "umoci", "unpack", "--rootless", "--image", layout+":v1", bundle)
	checkRoot(t, filepath.Join(bundle, "rootfs"))
	im, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkLayers(t, im)
}

// TestContainerd has a containerd of its own import an archive, unpack it and give it a root file system.
func TestContainerd(t *testing.T) {
	daemon, ctr := oracle.Need(t, "containerd"), oracle.Need(t, "ctr")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT PASSED: containerd needs root")
	}
	dir, err := os.MkdirTemp("", "ctrd") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "config.toml")
	text := "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(daemon, "-c", config, "-a", socket, "--root", filepath.Join(dir, "root"), "--state", filepath.Join(dir, "state"), "-l", "error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), ctr, append([]string{"-a", socket}, args...)...).CombinedOutput()
		return string(out), err
	}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := run("version")
		if err == nil {
			break
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("containerd does not answer: %v\n%s", err, out)
		}
	}
	root := filepath.Join(dir, "mnt")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	file := archive(t, image(t, "amd64", "v1"), image(t, "arm64", "v1"))
	for _, args := range [][]string{
		{"image", "import", "--base-name", "example.com/installer", "--snapshotter", "native", "--platform", "linux/amd64", file},
		{"image", "check", "--snapshotter", "native"},
		{"image", "mount", "--snapshotter", "native", "--platform", "linux/amd64", "example.com/installer:v1", root},
	} {
		if out, err := run(args...); err != nil {
			t.Fatalf("ctr %v: %v\n%s", args, err, out)
		}
	}
	defer run("image", "unmount", root)
	checkRoot(t, root)
}

func client(t *testing.T) *fetch.Client {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return fetch.New(s, fetch.Options{Insecure: true})
}

// TestPush pushes an index; its digest is that of the same index in a layout, and go-containerregistry and our client find what is in it.
func TestPush(t *testing.T) {
	r := registrytest.Start(t, registrytest.Options{})
	c := client(t)
	images := []oci.Image{image(t, "amd64", "v1"), image(t, "arm64", "v1")}
	push := func(to string) blob.Digest {
		ref, err := reference.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		d, err := container.Push(context.Background(), c, ref, images)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	digest := push(r.URL + "/installer:v1")
	ref, err := name.ParseReference(r.Host+"/installer:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != string(digest) {
		t.Errorf("%s is there, not %s: %v", got, digest, err)
	}
	pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	checkLayers(t, pulled)
	checkCrane(t, r.Host+"/installer:v1")
	ours, err := reference.Parse(r.URL + "/installer:v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		locked, err := c.Resolve(t.Context(), ours, arch)
		if err != nil {
			t.Fatal(err)
		}
		if im, err := c.Open(t.Context(), locked); err != nil || len(im.Layers) != 5 {
			t.Error(err)
		}
	}
	out := oracle.Run(t, oracle.Need(t, "skopeo"), "inspect", "--tls-verify=false", "--override-arch", "arm64", "docker://"+r.Host+"/installer:v1")
	if !strings.Contains(out, `"Architecture": "arm64"`) {
		t.Error(out)
	}
	layout := filepath.Join(t.TempDir(), "layout")
	push("oci:" + layout + ":v1")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "--all", "oci:"+layout+":v1", "dir:"+t.TempDir())
	for _, bad := range []string{"tar:" + layout, r.URL + "/installer@" + string(digest)} {
		ref, err := reference.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := container.Push(t.Context(), c, ref, images); report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
