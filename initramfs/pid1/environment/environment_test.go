package environment

import (
	"net/url"
	"slices"
	"testing"

	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
)

func TestEnvironment(t *testing.T) {
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine: {type: worker, env: {http_proxy: 'http://p:1', NO_PROXY: '.local,10.0.0.0/8', A: b}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	env := Of(cmdline.Parse("talos.environment=A=a talos.environment=Z=1"), c)
	if want := []string{"A=b", "NO_PROXY=.local,10.0.0.0/8", "Z=1", "http_proxy=http://p:1"}; !slices.Equal(env, want) {
		t.Errorf("%q, want %q", env, want)
	}
	for address, want := range map[string]string{"http://h/": "http://p:1", "https://h/": "", "http://a.local/": "", "http://10.1.2.3/": ""} {
		u, _ := url.Parse(address)
		got := ""
		if p, err := Proxy(env, u); err != nil {
			t.Error(err)
		} else if p != nil {
			got = p.String()
		}
		if got != want {
			t.Errorf("%s by %q, want %q", address, got, want)
		}
	}
}
