package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/machine/registries"
)

// site is a registry with TLS and users, and a folder with the file site.yaml that says so.
type site struct {
	*registrytest.Registry
	t   *testing.T
	dir string
	env []string
}

func newSite(t *testing.T) *site {
	a := authoritytest.New(t)
	cert, key := a.Issue(t, time.Now().Add(time.Hour))
	s := &site{Registry: registrytest.Start(t, registrytest.Options{Cert: cert, Key: key, Auth: true}), t: t, dir: t.TempDir()}
	if err := os.CopyFS(s.dir, os.DirFS("testdata/examples")); err != nil {
		t.Fatal(err)
	}
	cache := registrytest.Start(t, registrytest.Options{})
	s.write("site.yaml", fmt.Sprintf(`machine:
  registries:
    mirrors:
      %q:
        endpoints: [%s]
    config:
      %q:
        auth: {username: %s, password: %s}
        tls: {ca: %s}
`, s.Host, cache.URL, s.Host, registrytest.User, registrytest.Password, base64.StdEncoding.EncodeToString(a.PEM)))
	s.write("trust.yaml", "apiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: site\ncertificates: |\n  "+strings.ReplaceAll(string(a.PEM), "\n", "\n  ")+"\n")
	return s
}

func (s *site) write(name, text string) string {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// try runs bootwright in the site's folder with a cache of its own.
func (s *site) try(args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "bootwright", args...)
	cmd.Dir = s.dir
	cmd.Env = append(append(os.Environ(), "BOOTWRIGHT_CACHE="+s.t.TempDir(), "HOME="+s.dir, "DOCKER_CONFIG="+s.dir), s.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *site) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("bootwright %q: %v\n%s", args, err, out)
	}
	return out
}

func (s *site) refuses(want string, args ...string) {
	s.t.Helper()
	if out, err := s.try(args...); err == nil || !strings.Contains(out, want) {
		s.t.Errorf("bootwright %q: %v\n%s\nwithout %q", args, err, out, want)
	}
}

// TestRegistriesPage runs docs/registries.md, with a registry of its own in place of registry.example:5000.
func TestRegistriesPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/registries.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	page := strings.ReplaceAll(string(text), "registry.example:5000", s.Host)
	for _, d := range sessions(page) {
		t.Run(fmt.Sprint("line ", d.line), func(t *testing.T) { d.run(t, s.dir) })
	}
	example := page[strings.Index(page, "```yaml")+len("```yaml") : strings.Index(page, "```\n\n`--registry-config")]
	if _, err := registries.Load("registries.md", []byte(strings.Replace(example, "ca: LS0tLS1CRUdJTi...", "", 1))); err != nil {
		t.Error(err)
	}
}

// TestExtensionsThroughARegistry packs and pushes an extension, lets other tools copy and change it, and reads what comes of it.
func TestExtensionsThroughARegistry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ref := s.Host + "/extensions/hello:v1"
	local := s.run("extension", "pack", "hello", "-o", "oci:local:v1")
	var pushed struct{ Reference, Digest string }
	if err := json.Unmarshal([]byte(s.run("extension", "pack", "hello", "-o", ref, "--registry-config", "site.yaml", "--json")), &pushed); err != nil {
		t.Fatal(err)
	}
	if pushed.Reference != ref+"@"+pushed.Digest || !strings.Contains(local, pushed.Digest) {
		t.Errorf("pushed %+v, and the same folder packs to %s", pushed, local)
	}
	s.refuses("gives no access", "extension", "pack", "hello", "-o", ref, "--registry-config", "trust.yaml")
	s.refuses("unknown authority", "extension", "inspect", ref)
	want := s.run("extension", "inspect", ref, "--registry-config", "site.yaml", "--json")
	if !strings.Contains(want, pushed.Digest) {
		t.Errorf("inspect says\n%s\nwithout %s", want, pushed.Digest)
	}

	// Credentials of docker login do as well.
	s.write("config.json", fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.Host, base64.StdEncoding.EncodeToString([]byte(registrytest.User+":"+registrytest.Password))))
	if got := s.run("extension", "inspect", ref, "--registry-config", "trust.yaml", "--json"); got != want {
		t.Errorf("inspect says\n%s\nnot\n%s", got, want)
	}

	// What skopeo copies and umoci changes loads the same, but for its digest.
	creds := registrytest.User + ":" + registrytest.Password
	at := func(name string) string { return filepath.Join(s.dir, name) }
	skopeo := func(args ...string) {
		oracle.Run(t, "skopeo", append([]string{"--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"}, args...)...)
	}
	skopeo("--src-creds", creds, "docker://"+ref, "docker-archive:"+at("docker.tar")+":hello:v1")
	skopeo("--src-creds", creds, "docker://"+ref, "oci:"+at("copy")+":v1")
	oracle.Run(t, "umoci", "config", "--image", at("copy")+":v1", "--tag", "v2", "--config.label", "touched=yes")
	skopeo("--dest-creds", creds, "--format", "v2s2", "oci:"+at("copy")+":v2", "docker://"+s.Host+"/extensions/hello:v2")
	noDigest := func(text string) string { return text[strings.Index(text, `"name"`):] }
	for _, other := range []string{"tar:docker.tar", "oci:copy:v1", "oci:copy:v2", s.Host + "/extensions/hello:v2"} {
		if got := s.run("extension", "inspect", other, "--registry-config", "site.yaml", "--json"); noDigest(got) != noDigest(want) {
			t.Errorf("%s is\n%s\nnot\n%s", other, got, want)
		}
	}
	s.refuses("site.yaml:1:10: machine: ", "extension", "inspect", ref, "--registry-config", s.write("site.yaml", "machine: 1"))
}

// TestBaseThroughARegistry plans and builds with a base that is in a registry, unsigned and then signed.
func TestBaseThroughARegistry(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "openssl")
	s := newSite(t)
	ref := s.Host + "/site/base:v1"
	basetest.Write(s.t, filepath.Join(s.dir, "base"), "amd64")
	digest := s.pushBase(ref)
	plan := func(more ...string) []string {
		return append([]string{"plan", "kernel", "--json", "--base", ref}, more...)
	}
	result := func(text string) (out struct {
		Base   struct{ Digest, Signer string }
		Result struct{ Digest string }
	}) {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return out
	}
	unsigned := result(s.run(plan("--registry-config", "site.yaml", "--quiet")...))
	if unsigned.Base.Digest != digest || unsigned.Base.Signer != "" {
		t.Errorf("planned with %+v, want %s", unsigned.Base, digest)
	}
	at := func(name string) string { return filepath.Join(s.dir, name) }
	s.key("site", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	s.refuses("has no signature", plan("--registry-config", "site.yaml", "--verify-key", "site.pub")...)
	s.refuses("a private key", plan("--registry-config", "site.yaml", "--verify-key", "site.key")...)

	s.sign(digest, "site/base")
	profile := s.write("profile.yaml", fmt.Sprintf("baseProfileName: kernel\nbase: %s\ninput:\n  registryConfig: site.yaml\n  verifyKeys: [site.pub]\n", ref))
	saved := s.run("plan", "--quiet", "--json", "-f", profile)
	signed := result(saved)
	der := oracle.Run(t, "sh", "-c", "openssl pkey -pubin -in "+at("site.pub")+" -outform DER | sha256sum | cut -d' ' -f1")
	if signed.Base.Signer != "sha256:"+strings.TrimSpace(der) || signed.Result.Digest != unsigned.Result.Digest {
		t.Errorf("planned with %+v, digest %s; want the signer %s and the digest %s", signed.Base, signed.Result.Digest, der, unsigned.Result.Digest)
	}

	// A plan is verified again when it is built.
	s.write("saved.json", saved)
	s.run("build", "-f", "saved.json", "--registry-config", "site.yaml", "--verify-key", "site.pub", "-o", "out")
	s.key("other", "ED25519")
	s.refuses("another key than the 1 given", "build", "-f", "saved.json", "--registry-config", "site.yaml", "--verify-key", "other.pub", "-o", "out")
	s.refuses("has no signature", "plan", "kernel", "--base", "dir:base", "--verify-key", "site.pub")
}

// TestSignedExtension builds with an extension and a base that openssl signed: with another key, or an extension more that
// nobody signed, nothing is written.
func TestSignedExtension(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "openssl")
	s := newSite(t)
	if err := basetest.MakeExtensible(filepath.Join(s.dir, "base"), "amd64"); err != nil {
		t.Fatal(err)
	}
	base, ext := s.Host+"/site/base:v1", s.Host+"/extensions/hello:v1"
	s.key("site", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	s.key("other", "ED25519")
	s.sign(s.pushBase(base), "site/base")
	pack := func(ref string) string {
		text := s.run("extension", "pack", "hello", "-o", ref, "--registry-config", "site.yaml", "--json")
		var pushed struct{ Digest string }
		if err := json.Unmarshal([]byte(text), &pushed); err != nil {
			t.Fatal(err)
		}
		return pushed.Digest
	}
	digest := pack(ext)
	build := func(key string, more ...string) []string {
		return append([]string{"build", "initramfs", "--base", base, "--registry-config", "site.yaml", "--verify-key", key, "-o", "out",
			"--set", "input.extensionRules.talosVersion=v1.9.0", "--system-extension-image", ext}, more...)
	}
	s.refuses("has no signature", build("site.pub")...)
	s.sign(digest, "extensions/hello")
	s.refuses("another key than the 1 given", build("other.pub")...)
	s.refuses("has no signature", build("site.pub", "--system-extension-image", "hello")...)
	if _, err := os.Stat(filepath.Join(s.dir, "out")); !os.IsNotExist(err) {
		t.Errorf("there is something in the output folder: %v", err)
	}
	s.run(build("site.pub")...)
	plan := s.run("plan", "initramfs", "--quiet", "--json", "--base", base, "--registry-config", "site.yaml", "--verify-key", "site.pub",
		"--set", "input.extensionRules.talosVersion=v1.9.0", "--system-extension-image", ext)
	var rows struct {
		Extensions []struct{ Name, Digest, Signer string }
	}
	if err := json.Unmarshal([]byte(plan), &rows); err != nil {
		t.Fatal(err)
	}
	if e := rows.Extensions; len(e) != 1 || e[0].Digest != digest || !strings.HasPrefix(e[0].Signer, "sha256:") {
		t.Errorf("the plan has %+v", e)
	}
}

// key makes the pair of keys NAME.key and NAME.pub.
func (s *site) key(name, algorithm string, options ...string) {
	s.t.Helper()
	at := filepath.Join(s.dir, name)
	oracle.Run(s.t, "openssl", append([]string{"genpkey", "-algorithm", algorithm, "-out", at + ".key"}, options...)...)
	oracle.Run(s.t, "openssl", "pkey", "-in", at+".key", "-pubout", "-out", at+".pub")
}

// pushBase pushes the base in the folder base and returns its digest.
func (s *site) pushBase(ref string) string {
	s.t.Helper()
	st, err := store.Open(s.t.TempDir(), store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	text, err := os.ReadFile(filepath.Join(s.dir, "site.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	rules, err := registries.Load("site.yaml", text)
	if err != nil {
		s.t.Fatal(err)
	}
	c := fetch.New(st, fetch.Options{Registries: rules})
	folder := reference.Reference{Scheme: reference.Folder, Name: filepath.Join(s.dir, "base")}
	locked, err := c.Resolve(s.t.Context(), folder, "amd64")
	if err != nil {
		s.t.Fatal(err)
	}
	im, err := c.Open(s.t.Context(), locked)
	if err != nil {
		s.t.Fatal(err)
	}
	to, err := reference.Parse(ref)
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := c.Push(s.t.Context(), to, im.Config, im.Layers)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(d)
}

// sign lets openssl sign a digest with site.key, and pushes what cosign would.
func (s *site) sign(digest, repository string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "signature")
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.write("payload", fmt.Sprintf(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest))
	sig := oracle.Run(s.t, "sh", "-c", fmt.Sprintf("cd %s && openssl dgst -sha256 -sign site.key payload | base64 -w0", s.dir))
	script := fmt.Sprintf(`set -e
cd %s
blob() { sum=$(sha256sum < "$1" | cut -d' ' -f1); cp "$1" signature/blobs/sha256/$sum; printf '"digest":"sha256:%%s","size":%%s' $sum $(stat -c %%s "$1"); }
printf '{}' > config
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%%s},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json",%%s,"annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}' "$(blob config)" "$(blob payload)" > manifest
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%%s}]}' "$(blob manifest)" > signature/index.json
printf '{"imageLayoutVersion":"1.0.0"}' > signature/oci-layout
`, s.dir, sig)
	oracle.Run(s.t, "bash", "-c", script)
	tag := strings.Replace(digest, ":", "-", 1) + ".sig"
	oracle.Run(s.t, "skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds", registrytest.User+":"+registrytest.Password,
		"oci:"+dir, "docker://"+s.Host+"/"+repository+":"+tag)
}
