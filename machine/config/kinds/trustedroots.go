package kinds

import (
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// TrustedRootsConfig adds certificate authorities to those that the system trusts.
type TrustedRootsConfig struct {
	Named        `yaml:",inline"`
	Certificates string `yaml:"certificates" required:"yes" doc:"Certificates in PEM, one after the other."`
}

// Validate says what is wrong with the document.
func (t *TrustedRootsConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(t).Elem())
	if t.Certificates != "" {
		at.Field("certificates").Certificates(t.Certificates)
	}
}

// Example is a document of the kind. The certificate of the example is of nobody.
func (*TrustedRootsConfig) Example() string {
	return `apiVersion: v1alpha1
kind: TrustedRootsConfig
name: custom-ca
certificates: |-
  -----BEGIN CERTIFICATE-----
  MIIBOjCB7aADAgECAhR/PiI/mGUBnNkyqKijEhx/KUH2NDAFBgMrZXAwEjEQMA4G
  A1UEAwwHZXhhbXBsZTAgFw0yNjExMjIxNzQ4MzVaGA8yMTI2MTAyOTE3NDgzNVow
  EjEQMA4GA1UEAwwHZXhhbXBsZTAqMAUGAytlcAMhAB3kJjCtK/JYYqzYc8iSq9J7
  jGgDBHMMEktLjiazSwnSo1MwUTAdBgNVHQ4EFgQUuKPYjJudmecekg+wtqlOkcD+
  nQgwHwYDVR0jBBgwFoAUuKPYjJudmecekg+wtqlOkcD+nQgwDwYDVR0TAQH/BAUw
  AwEB/zAFBgMrZXADQQAu4UT/WU/18ktK91VAtojjLLr1fTBWKxfCmMDeZJMhvjVq
  uNF4IyByGCBTvNY2vkd/eogwX27cv3hMom14GV0C
  -----END CERTIFICATE-----
`
}
