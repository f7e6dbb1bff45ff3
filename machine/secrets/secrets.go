// Package secrets is the bundle from which all configuration of a cluster is generated: authorities, keys and tokens, in the
// YAML document that `gen secrets` writes. Whoever has it is the cluster: no error shows any part of its secrets.
package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/machine/pki"
)

// Bundle is all secrets of a cluster.
type Bundle struct {
	Cluster    Cluster    `yaml:"cluster"`
	Secrets    Kubernetes `yaml:"secrets"`
	TrustdInfo TrustdInfo `yaml:"trustdinfo"`
	Certs      Certs      `yaml:"certs"`
}

// Cluster is how members of a cluster find and trust each other.
type Cluster struct {
	ID     string `yaml:"id"`     // 32 bytes in base64 for URLs
	Secret string `yaml:"secret"` // 32 bytes in base64
}

// Kubernetes is what a joining kubelet and the encryption of etcd need. One of the two keys is there, 32 bytes in base64;
// AESCBCKey only in bundles of old clusters.
type Kubernetes struct {
	BootstrapToken string `yaml:"bootstraptoken"`
	AESCBCKey      string `yaml:"aescbcencryptionsecret,omitempty"`
	SecretboxKey   string `yaml:"secretboxencryptionsecret,omitempty"`
}

// TrustdInfo is with what a worker asks for its certificate.
type TrustdInfo struct {
	Token string `yaml:"token"`
}

// Certs are the authorities, and the key that signs the tokens of service accounts.
type Certs struct {
	Etcd              pki.Pair `yaml:"etcd"`
	K8s               pki.Pair `yaml:"k8s"`
	K8sAggregator     pki.Pair `yaml:"k8saggregator"`
	K8sServiceAccount Key      `yaml:"k8sserviceaccount"`
	OS                pki.Pair `yaml:"os"`
}

// Key is a private key without a certificate.
type Key struct {
	Key pki.PEM `yaml:"key"`
}

// Options for New. The zero value works.
type Options struct {
	// ServiceAccount is the kind of the service account key. Empty means RSA2048: programs outside the cluster that verify
	// its tokens may know RS256 only, and RSA4096 takes half a second to make.
	ServiceAccount pki.Algorithm
}

// New makes the secrets of a new cluster. Its authorities are valid from now on.
func New(now time.Time, opts Options) (*Bundle, error) {
	b := &Bundle{
		Cluster:    Cluster{ID: base64.URLEncoding.EncodeToString(random(32)), Secret: base64.StdEncoding.EncodeToString(random(32))},
		Secrets:    Kubernetes{BootstrapToken: newToken(), SecretboxKey: base64.StdEncoding.EncodeToString(random(32))},
		TrustdInfo: TrustdInfo{Token: newToken()},
	}
	validity := pki.Validity{From: now, For: pki.AuthorityValidity}
	for _, a := range []struct {
		to        *pki.Pair
		subject   pki.Subject
		algorithm pki.Algorithm
	}{
		{&b.Certs.Etcd, pki.Subject{Organization: []string{"etcd"}}, pki.ECDSA},
		{&b.Certs.K8s, pki.Subject{Organization: []string{"kubernetes"}}, pki.ECDSA},
		{&b.Certs.K8sAggregator, pki.Subject{CommonName: "front-proxy"}, pki.ECDSA},
		{&b.Certs.OS, pki.Subject{Organization: []string{"talos"}}, pki.Ed25519},
	} {
		pair, err := pki.NewAuthority(a.subject, a.algorithm, validity)
		if err != nil {
			return nil, err
		}
		*a.to = pair
	}
	if opts.ServiceAccount == "" {
		opts.ServiceAccount = pki.RSA2048
	}
	var err error
	b.Certs.K8sServiceAccount.Key, err = pki.GenerateKey(opts.ServiceAccount)
	return b, err
}

// Marshal is the bundle as a YAML document.
func (b *Bundle) Marshal() ([]byte, error) { return yaml.Dump(b, yaml.WithV3Defaults()) }

// Client is a certificate for a client of the node API with these roles, which CheckRoles has to accept.
func (b *Bundle) Client(roles []string, v pki.Validity) (pki.Pair, error) {
	if err := pki.CheckRoles(roles); err != nil {
		return pki.Pair{}, err
	}
	return b.Certs.OS.Issue(pki.Subject{Organization: roles}, v, pki.ForClient)
}

func random(n int) []byte {
	p := make([]byte, n)
	rand.Read(p)
	return p
}

// newToken is a token as kubeadm has them: an identifier of 6 and a secret of 16 letters and digits.
func newToken() string { return letters(6) + "." + letters(16) }

// letters are n letters and digits, each as likely as the others.
func letters(n int) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, c := range random(n) {
			if int(c) < 256-256%len(alphabet) && len(out) < n {
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}
