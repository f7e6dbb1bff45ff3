package generate

import (
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/pki"
	"github.com/bootwright/bootwright/machine/secrets"
)

// bundle has words in place of secrets.
func bundle() *secrets.Bundle {
	pair := func(name string) pki.Pair { return pki.Pair{Crt: pki.PEM(name + " crt"), Key: pki.PEM(name + " key")} }
	return &secrets.Bundle{
		Cluster:    secrets.Cluster{ID: "cluster id", Secret: "cluster secret"},
		Secrets:    secrets.Kubernetes{BootstrapToken: "bootstrap token", SecretboxKey: "secretbox key"},
		TrustdInfo: secrets.TrustdInfo{Token: "trustd token"},
		Certs: secrets.Certs{Etcd: pair("etcd"), K8s: pair("k8s"), K8sAggregator: pair("aggregator"),
			K8sServiceAccount: secrets.Key{Key: pki.PEM("service account key")}, OS: pair("os")},
	}
}

func options() Options {
	return Options{ClusterName: "site7", Endpoint: "https://10.0.0.1:6443", Secrets: bundle()}
}

func machine(t *testing.T, typ Type, o Options) []byte {
	t.Helper()
	text, err := Machine(typ, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Load(text, &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// at is the value at a path of names.
func at(t *testing.T, doc map[string]any, path string) any {
	t.Helper()
	var v any = doc
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok || m[name] == nil {
			t.Fatalf("nothing at %s", path)
		}
		v = m[name]
	}
	return v
}

// TestGolden shows the whole of what is generated, comments included.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, typ := range []Type{ControlPlane, Worker} {
		o := options()
		o.Docs, o.Examples = true, true
		got := machine(t, typ, o)
		path := filepath.Join("testdata", string(typ)+".golden.yaml")
		if os.Getenv("BOOTWRIGHT_UPDATE") == "1" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is generated; `make golden` and read the diff:\n%s", path, got)
		}
	}
}

func TestCommentsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, typ := range []Type{ControlPlane, Worker} {
		plain, o := machine(t, typ, options()), options()
		o.Docs, o.Examples = true, true
		if !reflect.DeepEqual(parse(t, plain), parse(t, machine(t, typ, o))) {
			t.Errorf("%s: comments change values", typ)
		}
		if bytes.Contains(plain, []byte("#")) {
			t.Errorf("%s: comments nobody asked for\n%s", typ, plain)
		}
	}
}

// TestTexts looks for every example's field in one of the documents, and reads it.
func TestTexts(t *testing.T) {
	t.Parallel()
	o := options()
	o.InstallImage = "registry.example/installer:v1"
	document := parse(t, machine(t, ControlPlane, o))
	for path, example := range examples() {
		at(t, document, path)
		if len(parse(t, []byte(example))) != 1 || doc(path) == "" {
			t.Errorf("%s: the example is not one field, or nothing says what the field means", path)
		}
	}
	if doc("machine.network.interfaces.mtu") == "" || doc("machine.none") != "" || doc("machine.kubelet.extraConfig.a") != "" {
		t.Error("fields are not found, or others are")
	}
}

// TestWorkersHaveNoKeys looks for everything that only control planes may have.
func TestWorkersHaveNoKeys(t *testing.T) {
	t.Parallel()
	controlPlane, worker := string(machine(t, ControlPlane, options())), string(machine(t, Worker, options()))
	for _, secret := range []string{"etcd key", "k8s key", "aggregator key", "os key", "service account key"} {
		coded := base64.StdEncoding.EncodeToString([]byte(secret))
		if !strings.Contains(controlPlane, coded) || strings.Contains(worker, coded) {
			t.Errorf("%s: not on the control plane, or on a worker", secret)
		}
	}
	if !strings.Contains(controlPlane, "secretbox key") || strings.Contains(worker, "secretbox key") {
		t.Error("the encryption key is not on the control plane, or on a worker")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o := options()
	o.ClusterName = "yes"
	o.KubernetesVersion = "v1.31.4"
	o.InstallDisk, o.InstallImage = "/dev/nvme0n1", "registry.example/installer:v1"
	o.AdditionalSANs = []string{"10.0.0.1", "api.example", "fd00::1"}
	o.RegistryMirrors = []RegistryMirror{{"docker.io", "https://a.example"}, {"*", "http://b.example:5000"}, {"docker.io", "https://c.example"}}
	doc := parse(t, machine(t, ControlPlane, o))
	for path, want := range map[string]any{
		"cluster.clusterName":                  "yes",
		"cluster.controlPlane.endpoint":        "https://10.0.0.1:6443",
		"cluster.apiServer.image":              "registry.k8s.io/kube-apiserver:v1.31.4",
		"cluster.apiServer.certSANs":           []any{"10.0.0.1", "api.example", "fd00::1"},
		"cluster.secretboxEncryptionSecret":    "secretbox key",
		"machine.certSANs":                     []any{"10.0.0.1", "api.example", "fd00::1"},
		"machine.install.disk":                 "/dev/nvme0n1",
		"machine.install.image":                "registry.example/installer:v1",
		"machine.registries.mirrors":           map[string]any{"docker.io": map[string]any{"endpoints": []any{"https://a.example", "https://c.example"}}, "*": map[string]any{"endpoints": []any{"http://b.example:5000"}}},
		"machine.features.rbac":                true,
		"machine.features.kubePrism.port":      7445,
		"cluster.discovery.registries.service": map[string]any{},
	} {
		if got := at(t, doc, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	o.Secrets.Secrets.AESCBCKey, o.Secrets.Secrets.SecretboxKey = "old key", ""
	if got := at(t, parse(t, machine(t, ControlPlane, o)), "cluster.aescbcEncryptionSecret"); got != "old key" {
		t.Errorf("an old cluster's key is %v", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change     func(*Options)
		want, hint string
	}{
		{func(o *Options) { o.ClusterName = "a b" }, `the cluster name "a b" is empty or holds blanks`, ""},
		{func(o *Options) { o.Secrets = nil }, "no secrets", ""},
		{func(o *Options) { o.Endpoint = "10.0.0.1" }, `the endpoint "10.0.0.1" is not an https URL`, "did you mean https://10.0.0.1:6443?"},
		{func(o *Options) { o.Endpoint = "fd00::1" }, `the endpoint "fd00::1" is not an https URL`, "did you mean https://[fd00::1]:6443?"},
		{func(o *Options) { o.Endpoint = "api.example:443" }, `the endpoint "api.example:443" is not an https URL`, "did you mean https://api.example:443?"},
		{func(o *Options) { o.Endpoint = "http://api.example" }, `the endpoint "http://api.example" is not an https URL`, "did you mean https://api.example:6443?"},
		{func(o *Options) { o.Endpoint = "https://" }, `"https://" is not the URL of a Kubernetes API`, "write https://HOST:PORT"},
		{func(o *Options) { o.Endpoint = "https://x:70000" }, `"https://x:70000" is not the URL of a Kubernetes API`, "write https://HOST:PORT"},
		{func(o *Options) { o.Endpoint = "https://x/path" }, `"https://x/path" is not the URL of a Kubernetes API`, "write https://HOST:PORT"},
		{func(o *Options) { o.KubernetesVersion = "1.32" }, `"1.32" is not a version of Kubernetes`, "write all three numbers, such as 1.32.0"},
		{func(o *Options) { o.AdditionalSANs = []string{"x:1"} }, `"x:1" cannot be in a certificate`, "want a DNS name or an IP address, without port"},
		{func(o *Options) { o.RegistryMirrors = []RegistryMirror{{"docker.io", "mirror"}} }, `"docker.io=mirror" is not a mirror`, "write it as docker.io=https://mirror.example"},
	} {
		o := options()
		c.change(&o)
		_, err := Machine(Worker, o)
		if err == nil || err.Error() != c.want || report.HintOf(err) != c.hint || report.KindOf(err) != report.Invalid {
			t.Errorf("%v, hint %q; want %s, %s", err, report.HintOf(err), c.want, c.hint)
		}
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	o := options()
	var err error
	if o.Secrets, err = secrets.New(now, secrets.Options{ServiceAccount: pki.ECDSA}); err != nil {
		t.Fatal(err)
	}
	c, err := Client(o, []string{pki.RoleReader}, pki.Validity{From: now, For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	name, context, err := c.Select("")
	if err != nil || name != "site7" || !bytes.Equal(context.CA, o.Secrets.Certs.OS.Crt) {
		t.Fatalf("context %s: %v", name, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "crt"), context.Crt, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := oracle.Run(t, "openssl", "x509", "-noout", "-subject", "-in", filepath.Join(dir, "crt")); strings.TrimSpace(out) != "subject=O = os:reader" {
		t.Errorf("openssl reads %s", out)
	}
	if _, err := Client(o, nil, pki.Validity{}); err == nil {
		t.Error("a client without a role")
	}
}

func BenchmarkMachine(b *testing.B) {
	o := options()
	o.Docs, o.Examples = true, true
	for b.Loop() {
		if _, err := Machine(ControlPlane, o); err != nil {
			b.Fatal(err)
		}
	}
}

// TestValid holds what is generated, and every example put where it belongs, to the rules of configurations.
func TestValid(t *testing.T) {
	t.Parallel()
	now := time.Now()
	o := options()
	o.InstallImage = "registry.example/installer:v1"
	o.AdditionalSANs = []string{"api.example"}
	o.RegistryMirrors = []RegistryMirror{{"*", "https://mirror.example"}}
	var err error
	if o.Secrets, err = secrets.New(now, secrets.Options{}); err != nil {
		t.Fatal(err)
	}
	valid := func(what string, text []byte) {
		if _, findings := config.Check(what, text, check.Options{Mode: check.Metal, Now: now, Strict: true}); findings.Err() != nil {
			t.Errorf("%v", findings)
		}
	}
	for _, typ := range []Type{ControlPlane, Worker} {
		generated := machine(t, typ, o)
		valid(string(typ), generated)
		for path, example := range examples() {
			if typ == Worker && path == "cluster.apiServer" {
				continue
			}
			doc, parent := parse(t, generated), path[:strings.LastIndexByte(path, '.')]
			maps.Copy(at(t, doc, parent).(map[string]any), parse(t, []byte(example)))
			text, err := yaml.Dump(doc)
			if err != nil {
				t.Fatal(err)
			}
			valid(string(typ)+" with the example of "+path, text)
		}
	}
}
