package kinds

import (
	"net/url"
	"reflect"

	"github.com/bootwright/bootwright/machine/config/check"
)

// SideroLinkConfig joins the machine to a management service.
type SideroLinkConfig struct {
	Header      `yaml:",inline"`
	APIURL      string `yaml:"apiUrl" is:"url grpc https" required:"yes" doc:"URL of the service; its query may have a jointoken."`
	UniqueToken string `yaml:"uniqueToken" doc:"Tells the machine from others where its UUID does not."`
}

// Validate says what is wrong with the document.
func (s *SideroLinkConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(s).Elem())
	if u, err := url.Parse(s.APIURL); err == nil && u.Path != "" && u.Path != "/" {
		at.Field("apiUrl").Fault("", "has the path %.60q, want none", u.Path)
	}
}

// Example is a document of the kind.
func (*SideroLinkConfig) Example() string {
	return `apiVersion: v1alpha1
kind: SideroLinkConfig
apiUrl: https://siderolink.example/?jointoken=secret
`
}
