// Package environment is the environment variables of the machine's services, proxies above all: those of machine.env, and
// before them those of the kernel argument talos.environment.
package environment

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
)

// Of is the variables as NAME=value, sorted, by the kernel's arguments and a configuration, which may be nil.
func Of(args cmdline.Args, c *config.Config) []string {
	all := map[string]string{}
	for _, v := range args.All(cmdline.Environment) {
		if name, value, ok := strings.Cut(v, "="); ok && name != "" {
			all[name] = value
		}
	}
	if c != nil && c.Main() != nil {
		maps.Copy(all, c.Main().Machine.Env)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}

// Names are those of variables.
func Names(env []string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		out = append(out, name)
	}
	return out
}

// Proxy is the proxy that the variables http_proxy, https_proxy and no_proxy name for a URL, in capitals or not; nil is
// none.
func Proxy(env []string, u *url.URL) (*url.URL, error) {
	get := func(name string) string {
		for _, n := range []string{strings.ToUpper(name), name} {
			for _, v := range env {
				if value, ok := strings.CutPrefix(v, n+"="); ok {
					return value
				}
			}
		}
		return ""
	}
	c := httpproxy.Config{HTTPProxy: get("http_proxy"), HTTPSProxy: get("https_proxy"), NoProxy: get("no_proxy")}
	return c.ProxyFunc()(u)
}
