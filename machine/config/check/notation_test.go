package check

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

func TestNotation(t *testing.T) {
	t.Parallel()
	for notation, c := range map[string]struct{ good, bad []string }{
		"address":          {[]string{"10.0.0.1", "::1", "fe80::1%eth0"}, []string{"10.0.0", "10.0.0.1/8", "a"}},
		"cidr":             {[]string{"10.0.0.0/8", "::/0"}, []string{"10.0.0.1", "10.0.0.0/33", "x/8"}},
		"address-or-cidr":  {[]string{"10.0.0.1", "10.0.0.1/24"}, []string{"10.0.0.1/", "a"}},
		"subnet-filter":    {[]string{"10.0.0.0/8", "!10.0.0.0/8"}, []string{"!!10.0.0.0/8", "!10.0.0.1"}},
		"url http https":   {[]string{"http://a", "https://a.b:8080/c?d", "http://[::1]:80", "http://harbor/v2/x"}, []string{"a", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a b", "http://[", "https://a_!"}},
		"host-port":        {[]string{"a:1", "10.0.0.1:65535", "[::1]:80"}, []string{"a", "a:0", "a:b", ":80", "::1:80"}},
		"address-port":     {[]string{"10.0.0.1:80", "[::1]:80"}, []string{"a:80", "10.0.0.1"}},
		"time-server":      {[]string{"time.cloudflare.com", "10.0.0.1", "/dev/ptp0"}, []string{"a b", "http://a"}},
		"base64-32":        {[]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, []string{"AAAA", "!"}},
		"hex":              {[]string{"00ff", "00:ff"}, []string{"0", "xy"}},
		"host-name":        {[]string{"a", "worker-1", "a.b.c"}, []string{"-a", "a..b", "a b", strings.Repeat("a", 64)}},
		"registry":         {[]string{"*", "docker.io", "a:5000", "[::1]:5000"}, []string{"a/b", "http://a"}},
		"sysctl":           {[]string{"net.core.somaxconn", "net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0.rp_filter"}, []string{"a", ".a", "a b.c"}},
		"sysfs":            {[]string{"devices.system.cpu.cpu0.cpufreq.scaling_governor"}, []string{"a", "../a"}},
		"module":           {[]string{"nvidia_uvm", "dm-crypt"}, []string{"a/b", "a.ko", "", strings.Repeat("a", 56)}},
		"path":             {[]string{"/", "/a/b"}, []string{"a", "./a"}},
		"interface":        {[]string{"eth0", "bond0.100"}, []string{"a b", "a/b", "sixteen-letters-"}},
		"variable":         {[]string{"http_proxy", "_A1"}, []string{"1a", "a-b", ""}},
		"variable-setting": {[]string{"A=", "A=b=c"}, []string{"A", "=b"}},
		"file-name":        {[]string{"audit.json"}, []string{"../a", ".a", "a/b"}},
		"label":            {[]string{"a", "example.com/rack", "node-role.kubernetes.io/x"}, []string{"-a", "a/b/c", "a b"}},
		"document-name":    {[]string{"custom-ca", "a.b/c"}, []string{"-a", "a b"}},
		"certificate-name": {[]string{"a", "*.b.c", "::1", "10.0.0.1"}, []string{"a:1", "a b", "*"}},
		"mac":              {[]string{"52:54:00:12:34:56", "52-54-00-12-34-aB"}, []string{"52:54", "525400123456"}},
		"kernel-argument":  {[]string{"quiet", "-quiet", "console=ttyS1,115200n8", "a.dyndbg=\"file b +p\"", "a="}, []string{"a b", "=a", "a=\"b", ""}},
		"module-parameter": {[]string{"a=1", "a", "a=\"b c\""}, []string{"a b", "a=b c"}},
		"udev-rule":        {[]string{`A=="b", MODE="1"`, "# c", "\n", `ENV{X}!=e"y"`}, []string{"A", "SUBSYSTEM drm"}},
		"label-value":      {[]string{"a", "a.b_c-d"}, []string{"a b", "-a", strings.Repeat("a", 64)}},
		"taint":            {[]string{"NoSchedule", "a:NoSchedule", ":NoSchedule"}, []string{"a b", "a:b:c"}},
		"argument":         {[]string{"v", "feature-gates"}, []string{"--v", "a b"}},
		"image":            {[]string{"a", "ghcr.io/a/b:v1", "[::1]:5000/a@sha256:00"}, []string{"a b", "", "-a"}},
		"url tcp udp":      {[]string{"tcp://a:1", "UDP://[::1]:1/"}, []string{"tcp://a", "http://a:1"}},
		"token":            {[]string{"abcdef.0123456789abcdef"}, []string{"abc.def", "ABCDEF.0123456789abcdef"}},
	} {
		if example := Example(notation); example != "" {
			c.good = append(c.good, example)
		}
		for _, s := range c.good {
			if !regexp.MustCompile(Pattern(notation)).MatchString(s) {
				t.Errorf("%s: %q does not match the pattern", notation, s)
			}
			if err := Notation(notation, s); err != nil {
				t.Errorf("%s: %q: %v", notation, s, err)
			}
		}
		for _, s := range c.bad {
			err := Notation(notation, s)
			if err == nil || report.KindOf(err) != report.Invalid {
				t.Errorf("%s: %q: %v", notation, s, err)
			} else if notation == "token" && strings.Contains(err.Error(), s) || len(err.Error()) > 200 {
				t.Errorf("%s: says too much: %v", notation, err)
			}
		}
	}
}
