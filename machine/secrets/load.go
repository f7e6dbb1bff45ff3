package secrets

import (
	"encoding/base64"
	"regexp"
	"time"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/pki"
)

// Load reads and checks a bundle; name is what messages call it. Everything that is wrong is in the one error.
func Load(name string, data []byte, now time.Time) (*Bundle, error) {
	doc, err := yamldoc.Parse(name, data, yamldoc.Options{})
	if err != nil {
		return nil, yamldoc.Redact(err)
	}
	var b Bundle
	if err := doc.Decode(&b); err != nil {
		return nil, yamldoc.Redact(err)
	}
	var findings report.Findings
	b.check(now, func(path string, err error) {
		if err != nil {
			findings = append(findings, doc.Finding(path, err.Error(), report.HintOf(err)))
		}
	})
	findings.Sort()
	if err := findings.Err(); err != nil {
		return nil, yamldoc.Redact(err)
	}
	return &b, nil
}

// check hands every field to add with what is wrong with it, or nil.
func (b *Bundle) check(now time.Time, add func(path string, err error)) {
	add("cluster.id", checkKey(b.Cluster.ID, base64.URLEncoding))
	add("cluster.secret", checkKey(b.Cluster.Secret, base64.StdEncoding))
	add("secrets.bootstraptoken", checkToken(b.Secrets.BootstrapToken))
	if b.TrustdInfo.Token == "" { // any text is one
		add("trustdinfo.token", report.Errorf(report.Invalid, "missing"))
	}
	switch {
	case b.Secrets.AESCBCKey == "":
		add("secrets.secretboxencryptionsecret", checkKey(b.Secrets.SecretboxKey, base64.StdEncoding))
	case b.Secrets.SecretboxKey == "":
		add("secrets.aescbcencryptionsecret", checkKey(b.Secrets.AESCBCKey, base64.StdEncoding))
	default:
		add("secrets", report.Errorf(report.Invalid, "both secretboxencryptionsecret and aescbcencryptionsecret; one is wanted"))
	}
	add("certs.etcd", checkAuthority(b.Certs.Etcd, now))
	add("certs.k8s", checkAuthority(b.Certs.K8s, now))
	add("certs.k8saggregator", checkAuthority(b.Certs.K8sAggregator, now))
	add("certs.os", checkAuthority(b.Certs.OS, now))
	_, err := pki.ParseKey(b.Certs.K8sServiceAccount.Key)
	add("certs.k8sserviceaccount", err)
}

func checkAuthority(p pki.Pair, now time.Time) error {
	if len(p.Crt)+len(p.Key) == 0 {
		return report.Errorf(report.Invalid, "missing")
	}
	return p.CheckAuthority(now)
}

func checkToken(token string) error {
	switch {
	case token == "":
		return report.Errorf(report.Invalid, "missing")
	case !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(token):
		return report.Errorf(report.Invalid, "not a token: want 6 letters or digits, a dot and 16 more")
	}
	return nil
}

// checkKey wants 32 bytes in base64.
func checkKey(text string, encoding *base64.Encoding) error {
	if text == "" {
		return report.Errorf(report.Invalid, "missing")
	}
	if key, err := encoding.DecodeString(text); err != nil || len(key) != 32 {
		return report.Errorf(report.Invalid, "want 32 bytes in base64")
	}
	return nil
}
