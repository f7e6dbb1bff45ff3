package check

import (
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bootwright/bootwright/internal/report"
)

// notation is one way in which text is written.
type notation struct {
	what    string            // as in: is not a host name
	example string            // or ""
	pattern string            // a regular expression, ECMA 262's as well as Go's, that all such text matches
	takes   func(string) bool // what the pattern cannot say; nil where that is nothing
	secret  bool              // the text is not shown
}

// named is a notation by its name in a tag. A name that there is none of is a mistake in the program: a panic.
func named(name string) notation {
	for _, find := range []func(string) (notation, bool){network, system, kubernetes} {
		if n, ok := find(name); ok {
			return n
		}
	}
	if words := strings.Fields(name); words[0] == "url" {
		return notation{what: "a URL", example: words[1] + "://example.com:8080", pattern: `^(` + anyCase(strings.Join(words[1:], "|")) + `)://`}
	}
	panic("check: unknown notation " + name)
}

const (
	hostLabel = `[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?`
	hostName  = hostLabel + `(\.` + hostLabel + `)*\.?`
	ip        = `[0-9A-Fa-f:.]+`
)

func network(name string) (n notation, ok bool) {
	switch name {
	case "address":
		n = notation{what: "an IP address", example: "10.0.0.2", pattern: `^` + ip + `(%.+)?$`, takes: isAddress}
	case "cidr":
		n = notation{what: "a subnet in CIDR notation", example: "10.0.0.0/24", pattern: `^` + ip + `/[0-9]{1,3}$`, takes: isSubnet}
	case "address-or-cidr":
		n = notation{what: "an IP address, with or without a prefix length", example: "10.0.0.2/24", pattern: `^` + ip + `(%.+)?(/[0-9]{1,3})?$`,
			takes: func(s string) bool { return isAddress(s) || isSubnet(s) }}
	case "subnet-filter": // a subnet, or with ! in front of it an exception
		n = notation{what: "a subnet in CIDR notation", example: "10.0.0.0/24", pattern: `^!?` + ip + `/[0-9]{1,3}$`,
			takes: func(s string) bool { return isSubnet(strings.TrimPrefix(s, "!")) }}
	case "host-port":
		n = notation{what: "a host with a port", example: "10.0.0.2:8080", pattern: `:[0-9]+$`, takes: isHostPort}
	case "address-port":
		n = notation{what: "an IP address with a port", example: "10.0.0.2:51820", pattern: `:[0-9]+$`,
			takes: func(s string) bool { _, err := netip.ParseAddrPort(s); return err == nil }}
	case "host-name":
		n = notation{what: "a host name", example: "worker-1", pattern: `^` + hostName + `$`}
	case "domain":
		n = notation{what: "a domain", example: "example.com", pattern: `^` + hostName + `$`}
	case "certificate-name":
		n = notation{what: "a DNS name or an IP address", example: "api.example.com", pattern: `^(\*\.)?` + hostName + `$|^` + ip + `$`,
			takes: func(s string) bool { return isAddress(s) || isHost(strings.TrimPrefix(s, "*.")) }}
	case "interface": // what Linux takes for the name of a network interface
		n = notation{what: "an interface", example: "eth0", pattern: `^[^\s/:]{1,15}$`}
	case "mac":
		n = notation{what: "a MAC address", example: "52:54:00:12:34:56", pattern: `^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$`}
	case "hex":
		n = notation{what: "hexadecimal", example: "00:03:00:01:52:54:00:12:34:56", pattern: `^[0-9A-Fa-f:]+$`,
			takes: func(s string) bool { _, err := hex.DecodeString(strings.ReplaceAll(s, ":", "")); return err == nil }}
	case "base64-32":
		n = notation{what: "32 bytes in base64", pattern: `^[A-Za-z0-9+/=\r\n]+$`, secret: true,
			takes: func(s string) bool {
				key, err := base64.StdEncoding.DecodeString(s)
				return err == nil && len(key) == 32
			}}
	case "time-server":
		n = notation{what: "a host name, an IP address or a device", example: "time.cloudflare.com or /dev/ptp0", pattern: `^(/dev/.|[^\s/])`,
			takes: func(s string) bool { return strings.HasPrefix(s, "/dev/") || isHost(s) }}
	case "registry": // a host, a host with a port, or everything
		n = notation{what: "a registry", example: "docker.io", pattern: `^(\*|[A-Za-z0-9.:\[\]_-]+)$`}
	}
	return n, n.what != ""
}

// setting is the value of a parameter of the kernel or of a module: blanks are within quotes.
const setting = `(=([^\s"]|"[^"]*")*)?$`

func system(name string) (n notation, ok bool) {
	switch name {
	case "sysctl":
		n = notation{what: "a name of a sysctl", example: "net.core.somaxconn", pattern: `^[A-Za-z0-9_-]+([./][A-Za-z0-9_:@*-]+)+$`}
	case "sysfs":
		n = notation{what: "a path below /sys", example: "devices.system.cpu.cpu0.cpufreq.scaling_governor", pattern: `^[A-Za-z0-9_:@-]+([./][A-Za-z0-9_:@-]+)+$`}
	case "module":
		n = notation{what: "a name of a kernel module", example: "nvidia_uvm", pattern: `^[A-Za-z0-9_-]{1,55}$`}
	case "module-parameter":
		n = notation{what: "one parameter of a module", example: "numdummies=2", pattern: `^[A-Za-z0-9_.-]+` + setting}
	case "kernel-argument":
		n = notation{what: "one argument of the kernel", example: "console=ttyS1", pattern: `^[^\s="]+` + setting}
	case "udev-rule":
		n = notation{what: "a udev rule", example: `SUBSYSTEM=="drm", KERNEL=="renderD*", MODE="0666"`, pattern: `^\s*(#|$)|[A-Za-z]+(\{[^}]*\})?\s*(==|!=|\+=|-=|:=|=)\s*[ei]?"`}
	case "path":
		n = notation{what: "an absolute path", example: "/var/lib/example", pattern: `^/`}
	case "file-name":
		n = notation{what: "a file name", example: "audit.json", pattern: `^[A-Za-z0-9_][A-Za-z0-9._-]*$`}
	case "variable":
		n = notation{what: "a variable", example: "https_proxy", pattern: `^[A-Za-z_][A-Za-z0-9_]*$`}
	case "variable-setting":
		n = notation{what: "a variable setting", example: "NUT_UPS=upsname", pattern: `^[A-Za-z_][A-Za-z0-9_]*=`}
	case "document-name":
		n = notation{what: "a document name", example: "remote-log", pattern: `^[A-Za-z0-9][A-Za-z0-9._/:-]*$`}
	}
	return n, n.what != ""
}

func kubernetes(name string) (n notation, ok bool) {
	const word = `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`
	switch name {
	case "label":
		n = notation{what: "a label", example: "topology.kubernetes.io/zone", pattern: `^([A-Za-z0-9.-]{1,253}/)?` + word + `$`}
	case "label-value":
		n = notation{what: "a value of a label", example: "rack-7", pattern: `^` + word + `$`}
	case "taint":
		n = notation{what: "a taint", example: "value:NoSchedule", pattern: `^(` + word + `)?(:[A-Za-z]+)?$`}
	case "argument":
		n = notation{what: "an argument without dashes", example: "feature-gates", pattern: `^[A-Za-z0-9][A-Za-z0-9._-]*$`}
	case "image":
		n = notation{what: "an image reference", example: "registry.k8s.io/pause:3.10", pattern: `^[A-Za-z0-9\[][A-Za-z0-9._:/@+\[\]-]*$`}
	case "token":
		n = notation{what: "a token of the form abcdef.0123456789abcdef", pattern: `^\s*[a-z0-9]{6}\.[a-z0-9]{16}\s*$`, secret: true}
	}
	return n, n.what != ""
}

// Notation checks text against a notation by name; "url" is followed by the schemes it may have. The error reads as what
// follows the name of a field.
func Notation(name, s string) error {
	if schemes, isURL := strings.CutPrefix(name, "url "); isURL {
		return checkURL(s, strings.Fields(schemes))
	}
	n := named(name)
	if regexp.MustCompile(n.pattern).MatchString(s) && (n.takes == nil || n.takes(s)) {
		return nil
	}
	if n.secret {
		s = ""
	}
	return wanted(s, n.what, n.example)
}

// Pattern is a regular expression (of ECMA 262) that all text of a notation matches, and Example is such text, or "".
func Pattern(name string) string { return named(name).pattern }

// Example is text of a notation, or "".
func Example(name string) string {
	first, _, _ := strings.Cut(named(name).example, " or ")
	return first
}

// anyCase is a regular expression for words in upper or lower case.
func anyCase(words string) string {
	var out strings.Builder
	for _, r := range words {
		if upper := unicode.ToUpper(r); upper != r {
			out.WriteString("[" + string(r) + string(upper) + "]")
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func checkURL(s string, schemes []string) error {
	u, err := url.Parse(s)
	if err != nil {
		return wanted("", "a URL", schemes[0]+"://host")
	}
	if !slices.Contains(schemes, u.Scheme) {
		return report.WithHint(report.Errorf(report.Invalid, "has the scheme %.40q", u.Scheme), "use %s://", strings.Join(schemes, ":// or "))
	}
	if !isHost(u.Hostname()) {
		return wanted(u.Redacted(), "a URL with a host", schemes[0]+"://host")
	}
	usual := u.Scheme != "tcp" && u.Scheme != "udp" // these have no usual port
	if port := u.Port(); !isPort(port) && (port != "" || !usual) {
		return wanted(u.Redacted(), "a URL with a port from 1 to 65535", "")
	}
	return nil
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func isSubnet(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isHost(host) && isPort(port)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost takes names and addresses, those of IPv6 without brackets.
func isHost(s string) bool {
	return isAddress(s) || len(s) <= 253 && regexp.MustCompile(`^`+hostName+`$`).MatchString(s)
}

// wanted is an error that says what is wanted instead of s; an empty s is not shown.
func wanted(s, what, example string) error {
	shown := ""
	if s != "" {
		shown = strconv.Quote(strings.ToValidUTF8(s[:min(len(s), 60)], "")) + " "
	}
	err := report.Errorf(report.Invalid, "%sis not %s", shown, what)
	if example == "" {
		return err
	}
	return report.WithHint(err, "such as %s", example)
}
