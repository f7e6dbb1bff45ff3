package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// harbor is a registry behind TLS that has others' images under paths of its own, and wants a password.
type harbor struct {
	port  string
	mu    sync.Mutex
	asked []string
}

// The user of the guide's section 12.
const harborUser, harborPassword = "admin", "password"

func newHarbor(t *testing.T, a *authoritytest.Authority, behind *registrytest.Registry) *harbor {
	t.Helper()
	certificate, key := a.Issue(t, time.Now().Add(time.Hour), "harbor")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := &harbor{}
	proxy := &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) {
		q.SetURL(target)
		q.Out.URL.Path = strings.Replace(q.Out.URL.Path, "/v2/proxy-docker.io/", "/v2/", 1)
	}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, q.URL.RequestURI())
		h.mu.Unlock()
		switch user, password, _ := q.BasicAuth(); {
		case user != harborUser || password != harborPassword:
			w.Header().Set("WWW-Authenticate", `Basic realm="harbor"`)
			w.WriteHeader(http.StatusUnauthorized)
		case !strings.HasPrefix(q.URL.Path, "/v2/proxy-docker.io/"):
			http.NotFound(w, q)
		default:
			proxy.ServeHTTP(w, q)
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, h.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return h
}

// pushed is the digest of an image that a registry of plain http now has.
func pushed(t *testing.T, r *registrytest.Registry, repository string) string {
	t.Helper()
	image, err := random.Image(4096, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(r.Host+"/"+repository, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return config.String()
}

// outside is what a configured machine meets.
type outside struct {
	harbor           *harbor
	authority        *authoritytest.Authority
	registry         *registrytest.Registry
	services, kernel receiver
	fragile          fragile
	tcp, udp         string // ports of the receivers
}

// guideConfig has the guide's sections 2, 3, 7, 8, 11, 12 and 15 together, with a module of Debian's in place of nvidia's.
func (o *outside) guideConfig() string {
	_, plain, _ := net.SplitHostPort(o.registry.Host)
	text := strings.Replace(configareatest.Worker("guide"), "machine:\n", `machine:
  files:
    - content: |
        [metrics]
          address = "0.0.0.0:11234"
        [plugins]
          [plugins."io.containerd.cri.v1.images".pinned_images]
            sandbox = "registry.k8s.io/pause:3.8"
      path: /etc/cri/conf.d/20-customization.part
      op: create
  logging:
    destinations:
      - endpoint: "tcp://10.0.2.2:`+o.tcp+`/"
        format: "json_lines"
        extraTags:
          server: s03-rack07
      - endpoint: "tcp://10.0.2.2:`+o.fragile.port()+`/"
        format: "json_lines"
  kernel:
    modules:
      - name: dummy
        parameters: [numdummies=0]
      - name: brd
        parameters: [rd_nr=1, rd_size=1024]
  sysctls:
    net.core.bpf_jit_harden: 1
  registries:
    mirrors:
      docker.io:
        endpoints:
          - https://harbor:`+o.harbor.port+`/v2/proxy-docker.io
        overridePath: true
      ghcr.io:
        endpoints:
          - https://harbor:`+o.harbor.port+`
          - http://10.0.2.2:`+plain+`
        skipFallback: true
    config:
      harbor:`+o.harbor.port+`:
        auth:
          username: `+harborUser+`
          password: `+harborPassword+`
  time:
    servers:
      - 10.0.2.2
    bootTimeout: 2m
`, 1)
	text = strings.Replace(text, "    hostname: guide\n", `    hostname: guide
    extraHostEntries: [{ip: 10.0.2.2, aliases: [harbor]}]
    interfaces: [{interface: eth0, dhcp: true, addresses: [10.9.0.2/24]}]
`, 1)
	text = strings.Replace(text, "    disk: /dev/sda\n", "    disk: /dev/sda\n    extraKernelArgs: [mitigations=off, cpufreq.default_governor=performance]\n", 1)
	return text + "---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: custom-ca\ncertificates: |-\n    " +
		strings.ReplaceAll(strings.TrimSpace(string(o.authority.PEM)), "\n", "\n    ") +
		"\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote-log\nurl: udp://10.0.2.2:" + o.udp + "/\n" +
		"---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: hello\nenvironment: [WHO=guide]\n"
}

// guest is a running machine with the service hello, from outside.
type guest struct {
	t     *testing.T
	hello int // port
}

// when is the boot report once good is true of it.
func (g guest) when(what string, good func(*bootreport.Report) bool) *bootreport.Report {
	g.t.Helper()
	r := &bootreport.Report{}
	for range 120 {
		text := get(g.t, g.hello, "/host/run/bootwright/report.json")
		if err := json.Unmarshal([]byte(text), r); err == nil && good(r) {
			return r
		}
		time.Sleep(500 * time.Millisecond)
		*r = bootreport.Report{}
	}
	g.t.Errorf("it never came to: %s", what)
	return r
}

// TestBootConfigured: one machine with the guide's configurations, asked from outside; then told to take another.
func TestBootConfigured(t *testing.T) {
	vmtest.Need(t)
	sntptest.Chrony(t, ntp)
	o := &outside{authority: authoritytest.New(t), registry: registrytest.Start(t, registrytest.Options{})}
	o.harbor = newHarbor(t, o.authority, o.registry)
	o.tcp, o.udp = o.services.listenTCP(t), o.kernel.listenUDP(t)
	o.fragile.come(t)
	defer o.fragile.leave()
	want := map[string]string{"docker.io/library/tiny:1": pushed(t, o.registry, "library/tiny:1"), "ghcr.io/some/other:2": pushed(t, o.registry, "some/other:2")}

	var config atomic.Value
	config.Store(o.guideConfig())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(config.Load().(string))) }))
	defer server.Close()
	iso := built(t, "iso", "amd64", "--extra-kernel-arg", "talos.config=http://10.0.2.2:"+server.URL[strings.LastIndex(server.URL, ":")+1:]+"/c.yaml",
		"--extra-kernel-arg", "mitigations=off", "--system-extension-image", serviceExtension(t, t.TempDir()))
	g, metrics := guest{t, freePort(t)}, freePort(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer tell(g.hello, "/end")
		r := g.when("hello runs, and the clock is set", func(r *bootreport.Report) bool { return r.ReadyMS > 0 && r.Clock.Source == "10.0.2.2" })
		g.checkGuide(r)
		if page := get(t, metrics, "/v1/metrics"); !strings.Contains(page, `container_id="ext-hello"`) {
			t.Errorf("containerd's metrics: %.300q", page)
		}
		o.outage(g)
		for image, digest := range want {
			if got := get(t, g.hello, "/pull/"+image); got != digest {
				t.Errorf("containerd pulls %s: %s, want %s", image, got, digest)
			}
		}
		g.reload(o, &config)
	}()
	console := vmtest.Boot(t, vm.Options{
		Image: iso, As: vm.CDROM, Firmware: vm.UEFI, Until: regexp.MustCompile("hello: was told the end"),
		ExtraArgs: []string{
			"-netdev", fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:8080,hostfwd=tcp:127.0.0.1:%d-:11234", g.hello, metrics),
			"-device", "virtio-net-pci,netdev=n0",
		},
	})
	<-done
	if !strings.Contains(console, `ext-dump: sandbox_image = "registry.k8s.io/pause:3.8"`) {
		t.Error("containerd config dump does not have the pinned sandbox image")
	}
	o.check(t)
}

// checkGuide compares the machine with what it is asked for.
func (g guest) checkGuide(r *bootreport.Report) {
	t := g.t
	t.Helper()
	for _, a := range slices.Concat(r.Settings.Modules, r.Settings.Sysctls, r.Files) {
		if a.State != bootreport.Applied {
			t.Errorf("%+v", a)
		}
	}
	if a := r.Settings.Arguments; len(a) != 2 || a[0].State != bootreport.Applied || a[1].State != bootreport.Pending {
		t.Errorf("kernel arguments %+v", a)
	}
	if d := r.Trust.Documents; len(d) != 1 || d[0].Certificates != 1 || len(d[0].Faults) > 0 {
		t.Errorf("trust %+v", r.Trust)
	}
	if r.Hostname != "guide" || !r.Clock.Synced || len(r.Errors) > 0 || r.Config.Source != bootreport.SourceURL {
		t.Errorf("host name %q, clock %+v, configuration %+v, errors %+v", r.Hostname, r.Clock, r.Config, r.Errors)
	}
	for path, want := range map[string]string{
		"/host/proc/sys/net/core/bpf_jit_harden": "1\n", "/host/sys/module/brd/parameters/rd_nr": "1\n", "/host/sys/block/ram0/size": "2048\n",
	} {
		if got := get(t, g.hello, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// outage takes a receiver of logs away for a while, in which the machine says much.
func (o *outside) outage(g guest) {
	get(g.t, g.hello, "/count")
	time.Sleep(3 * time.Second)
	o.fragile.leave()
	time.Sleep(10 * time.Second)
	missing := o.services.counted("hello: counts ") - o.fragile.counted("hello: counts ")
	if missing < 20 {
		g.t.Errorf("%d lines were said while the receiver was away: the test shows nothing", missing)
	}
	o.fragile.come(g.t)
	for range 80 {
		if n := o.fragile.counted("hello: counts "); n > 60 && n >= o.services.counted("hello: counts ")-10 {
			g.t.Logf("the receiver missed %d lines, and has %d now", missing, n)
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	g.t.Errorf("after the outage %d lines are there, of %d", o.fragile.counted("hello: counts "), o.services.counted("hello: counts "))
}

// reload gives the machine another configuration while it runs.
func (g guest) reload(o *outside, config *atomic.Value) {
	t := g.t
	t.Helper()
	now := strings.NewReplacer("10.9.0.2/24", "10.9.0.3/24", "hostname: guide", "hostname: moved", "bpf_jit_harden: 1", "bpf_jit_harden: 2",
		"  token: ", "  token: x").Replace(config.Load().(string))
	config.Store(now)
	if said := get(t, g.hello, "/reload"); !strings.Contains(said, "SIGHUP to PID 1: <nil>") {
		t.Errorf("the signal: %s", said)
	}
	r := g.when("the address has moved", func(r *bootreport.Report) bool {
		return r.Hostname == "moved" && slices.ContainsFunc(r.Network.Links, func(l bootreport.Link) bool {
			return slices.ContainsFunc(l.Addresses, func(a bootreport.Address) bool { return a.Address == "10.9.0.3/24" }) &&
				!slices.ContainsFunc(l.Addresses, func(a bootreport.Address) bool { return a.Address == "10.9.0.2/24" })
		})
	})
	if !slices.Equal(r.Config.Pending, []string{".machine.token"}) || r.Config.Refused != "" {
		t.Errorf("configuration %+v", r.Config)
	}
	if got := get(t, g.hello, "/host/proc/sys/net/core/bpf_jit_harden"); got != "2\n" {
		t.Errorf("bpf_jit_harden is %q", got)
	}
}

// check looks at what came out of the machine.
func (o *outside) check(t *testing.T) {
	t.Helper()
	checkLogs(t, &o.services, &o.kernel, field{"server", "s03-rack07"})
	o.harbor.mu.Lock()
	defer o.harbor.mu.Unlock()
	for _, want := range []string{"/v2/proxy-docker.io/library/tiny/manifests/1?ns=docker.io", "/v2/some/other/manifests/2?ns=ghcr.io"} {
		if !slices.Contains(o.harbor.asked, want) {
			t.Errorf("harbor was not asked for %s, but for %q", want, o.harbor.asked)
		}
	}
}
