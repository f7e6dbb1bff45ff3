package fetch_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/builder/signature"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

// signingKey signs as cosign does.
type signingKey struct {
	*ecdsa.PrivateKey
	public signature.Key
}

func newSigningKey(t testing.TB) signingKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	must(t, err)
	public, err := signature.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	must(t, err)
	return signingKey{k, public}
}

func (k signingKey) sign(t testing.TB, text []byte) []byte {
	sum := sha256.Sum256(text)
	sig, err := ecdsa.SignASN1(rand.Reader, k.PrivateKey, sum[:])
	must(t, err)
	return sig
}

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// tagged writes the image that cosign 2 tags: a payload about d and its signature.
func (k signingKey) tagged(l *layoutDir, d blob.Digest) object {
	text := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
	layer := with(l.blob(text, signature.SimpleSigning), "annotations",
		object{signature.Annotation: base64.StdEncoding.EncodeToString(k.sign(l.t, []byte(text)))})
	config := l.blob(`{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}`, "application/vnd.oci.image.config.v1+json")
	return l.json(object{"schemaVersion": 2, "mediaType": imageType, "config": config, "layers": []object{layer}}, imageType)
}

// referrer writes the artifact that cosign 3 attaches: a bundle with a statement about d, and d as its subject.
func (k signingKey) referrer(l *layoutDir, d object) object {
	const kind = "application/vnd.in-toto+json"
	text := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":"https://sigstore.dev/cosign/sign/v1"}`, digestOf(d).Hex())
	sig := k.sign(l.t, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(text), text))
	bundle, err := json.Marshal(object{"mediaType": bundleType, "dsseEnvelope": object{"payload": []byte(text), "payloadType": kind, "signatures": []object{{"sig": sig}}}})
	must(l.t, err)
	return l.json(object{
		"schemaVersion": 2, "mediaType": imageType, "artifactType": bundleType, "config": l.blob("{}", "application/vnd.oci.empty.v1+json"),
		"layers": []object{l.blob(string(bundle), bundleType)}, "subject": d,
	}, imageType)
}

func digestOf(d object) blob.Digest { return blob.Digest(d["digest"].(string)) }

func bare(d object) object {
	return object{"mediaType": d["mediaType"], "digest": d["digest"], "size": d["size"]}
}

// sites are the ways to serve a layout's images: the layout itself, a tar archive of it, and registries.
func sites(t *testing.T, l *layoutDir) map[string]string {
	archive := filepath.Join(t.TempDir(), "image.tar")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	must(t, w.AddFS(os.DirFS(l.dir)))
	must(t, w.Close())
	must(t, os.WriteFile(archive, buf.Bytes(), 0o644))
	out := map[string]string{"layout": "oci:" + l.dir + ":v1", "archive": "tar:" + archive + ":v1"}
	for name, handler := range map[string]http.Handler{
		"registry": ggcr.New(ggcr.Logger(quiet())), "registry with referrers": ggcr.New(ggcr.Logger(quiet()), ggcr.WithReferrersSupport(true)),
	} {
		s := plainServer(t, handler)
		upload(t, s, l)
		out[name] = s + "/base:v1"
	}
	return out
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	ours, theirs := newSigningKey(t), newSigningKey(t)
	for name, sign := range map[string]func(l *layoutDir, image, index object){
		"nothing":           func(*layoutDir, object, object) {},
		"tag":               func(l *layoutDir, image, _ object) { l.add(ours.tagged(l, digestOf(image)), cosignTag(image)) },
		"tag of the index":  func(l *layoutDir, _, index object) { l.add(ours.tagged(l, digestOf(index)), cosignTag(index)) },
		"referrer":          func(l *layoutDir, image, _ object) { l.refer(image, ours.referrer(l, bare(image))) },
		"referrer of index": func(l *layoutDir, _, index object) { l.refer(index, ours.referrer(l, bare(index))) },
		"tag beside rubbish": func(l *layoutDir, image, _ object) {
			l.add(ours.tagged(l, digestOf(image)), cosignTag(image))
			l.refer(image, l.json(object{"schemaVersion": 2, "mediaType": imageType, "config": l.blob("{}", "x"), "layers": []object{}, "subject": bare(image)}, imageType))
		},
		"bad another key":   func(l *layoutDir, image, _ object) { l.add(theirs.tagged(l, digestOf(image)), cosignTag(image)) },
		"bad another image": func(l *layoutDir, image, index object) { l.add(ours.tagged(l, blob.SumBytes(nil)), cosignTag(image)) },
		"bad referrer": func(l *layoutDir, image, index object) {
			l.refer(image, ours.referrer(l, bare(index["other"].(object))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			image, other := l.image("amd64", "vmlinuz=kernel"), l.image("arm64", "vmlinuz=other")
			index := l.index(forPlatform(bare(image), "amd64", "linux"), forPlatform(bare(other), "arm64", "linux"))
			index["other"] = other
			l.add(bare(index), "v1")
			sign(l, image, index)
			for site, ref := range sites(t, l) {
				opts := fetch.Options{Keys: []signature.Key{ours.public}, Keychain: anonymous{}, Pause: time.Millisecond}
				c := client(t, opts)
				im, err := open(t, c, ref, "amd64")
				if name == "nothing" || strings.HasPrefix(name, "bad ") {
					reporttest.Want(t, err, report.Invalid, ref, "signature")
					if hint := report.HintOf(err); !strings.Contains(hint, "cosign sign --key") {
						t.Errorf("hint %q", hint)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", site, err)
					continue
				}
				if got := c.Signer(im.Locked); got != ours.public.ID() || !c.Trusts(im.Locked) {
					t.Errorf("%s: signed by %q", site, got)
				}
				// What a plan pinned is verified again, by a client that knows nothing of it.
				if _, err := client(t, opts).Open(t.Context(), im.Locked); err != nil {
					t.Errorf("%s: opened as locked: %v", site, err)
				}
				opts.Keys = []signature.Key{theirs.public}
				_, err = client(t, opts).Open(t.Context(), im.Locked)
				reporttest.Want(t, err, report.Invalid, "another key than the 1 given")
			}
		})
	}
}

func cosignTag(d object) string { return "sha256-" + digestOf(d).Hex() + ".sig" }

// refer lists an artifact in the layout, and under the tag that registries without the referrers API have.
func (l *layoutDir) refer(to, artifact object) {
	l.add(l.index(bare(artifact)), "sha256-"+digestOf(to).Hex())
	l.add(artifact, "artifact")
}

func TestFoldersHaveNoSignature(t *testing.T) {
	t.Parallel()
	c := client(t, fetch.Options{Keys: []signature.Key{newSigningKey(t).public}})
	reporttest.Want(t, c.Unsigned(parse(t, "dir:x")), report.Invalid, "dir:x", "no signature")
	if err := client(t, fetch.Options{}).Unsigned(parse(t, "dir:x")); err != nil {
		t.Error(err)
	}
}

// A registry that cannot say whether there is a signature does not pass for one that has none, nor for one that has.
func TestSignaturesOutOfReach(t *testing.T) {
	t.Parallel()
	l, _ := twoArchitectures(t)
	s := serve(t, false, l)
	s.fail(".sig", status(500))
	opts := s.options()
	opts.Keys = []signature.Key{newSigningKey(t).public}
	_, err := open(t, client(t, opts), s.host+"/base:v1", "amd64")
	reporttest.Want(t, err, report.Unavailable, s.host, "signatures of sha256:", "500")
}

// TestSignedByOpenSSL lets openssl sign and skopeo copy, the signature's tag too, into Docker's registry.
func TestSignedByOpenSSL(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "openssl")
	r := registrytest.Start(t, registrytest.Options{})
	l := newLayout(t)
	image := l.image("amd64", "vmlinuz=kernel")
	l.add(image, "v1")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	text := fmt.Sprintf(`{"critical":{"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, digestOf(image))
	must(t, os.WriteFile(at("payload"), []byte(text), 0o600))
	oracle.Run(t, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at("key"))
	oracle.Run(t, "openssl", "ec", "-in", at("key"), "-pubout", "-out", at("pub"))
	oracle.Run(t, "openssl", "dgst", "-sha256", "-sign", at("key"), "-out", at("sig"), at("payload"))
	sig, err := os.ReadFile(at("sig"))
	must(t, err)
	layer := with(l.blob(text, signature.SimpleSigning), "annotations", object{signature.Annotation: base64.StdEncoding.EncodeToString(sig)})
	config := l.blob("{}", "application/vnd.oci.image.config.v1+json")
	l.add(l.json(object{"schemaVersion": 2, "mediaType": imageType, "config": config, "layers": []object{layer}}, imageType), cosignTag(image))
	for _, tag := range []string{"v1", cosignTag(image)} {
		oracle.Run(t, "skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "oci:"+l.dir+":"+tag, "docker://"+r.Host+"/base:"+tag)
	}
	public, err := os.ReadFile(at("pub"))
	must(t, err)
	key, err := signature.ParseKey(public)
	must(t, err)
	c := client(t, fetch.Options{Keys: []signature.Key{key}, Keychain: anonymous{}})
	im, err := open(t, c, "http://"+r.Host+"/base:v1", "amd64")
	must(t, err)
	if c.Signer(im.Locked) != key.ID() {
		t.Errorf("signed by %s", c.Signer(im.Locked))
	}
}

// plainServer serves a registry over http and returns its URL.
func plainServer(t testing.TB, handler http.Handler) string {
	s := httptest.NewServer(handler)
	s.Config.ErrorLog = quiet()
	t.Cleanup(s.Close)
	return s.URL
}

// upload puts all that a layout lists into the repository base, under its tags.
func upload(t testing.TB, url string, l *layoutDir) {
	host := strings.TrimPrefix(url, "http://")
	path, err := layout.FromPath(l.dir)
	must(t, err)
	for _, e := range l.entries {
		h, err := v1.NewHash(string(digestOf(e)))
		must(t, err)
		tag := e["annotations"].(object)["org.opencontainers.image.ref.name"].(string)
		ref, err := name.ParseReference(host+"/base:"+tag, name.Insecure)
		must(t, err)
		if e["mediaType"] == indexType {
			root, err := path.ImageIndex()
			must(t, err)
			index, err := root.ImageIndex(h)
			must(t, err)
			must(t, remote.WriteIndex(ref, index))
			continue
		}
		image, err := path.Image(h)
		must(t, err)
		must(t, remote.Write(ref, image))
	}
}
