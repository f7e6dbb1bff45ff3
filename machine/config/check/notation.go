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

	"github.com/bootwright/bootwright/internal/report"
)

// Notation checks text against a notation by name; "url" and "endpoint" are followed by the schemes they may have. The
// error reads as what follows the name of a field.
func Notation(notation, s string) error {
	words := strings.Fields(notation)
	switch words[0] {
	case "address":
		_, err := netip.ParseAddr(s)
		return want(err == nil, s, "an IP address", "such as 10.0.0.2")
	case "cidr":
		_, err := netip.ParsePrefix(s)
		return want(err == nil, s, "a subnet in CIDR notation", "such as 10.0.0.0/24")
	case "address-or-cidr":
		if !strings.Contains(s, "/") {
			return Notation("address", s)
		}
		return Notation("cidr", s)
	case "subnet-filter": // a subnet, or with ! in front of it an exception
		return Notation("cidr", strings.TrimPrefix(s, "!"))
	case "url":
		return checkURL(s, words[1:])
	case "host-port":
		return hostPort(s)
	case "address-port":
		_, err := netip.ParseAddrPort(s)
		return want(err == nil, s, "an IP address with a port", "such as 10.0.0.2:51820")
	case "time-server":
		return want(strings.HasPrefix(s, "/dev/") || isHost(s), s, "a host name, an IP address or a device", "such as time.cloudflare.com or /dev/ptp0")
	case "base64-32":
		key, err := base64.StdEncoding.DecodeString(s)
		return want(err == nil && len(key) == 32, "", "32 bytes in base64", "")
	case "hex":
		_, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
		return want(err == nil, s, "hexadecimal", "")
	}
	return pattern(words[0], s)
}

// pattern checks against the notations that are regular expressions.
func pattern(notation, s string) error {
	re := Pattern(notation)
	if re == "" {
		panic("check: unknown notation " + notation)
	}
	what, hint := strings.ReplaceAll(notation, "-", " "), ""
	switch notation {
	case "sysctl":
		what, hint = "name of a sysctl", "such as net.core.somaxconn"
	case "sysfs":
		what, hint = "path below /sys", "such as devices.system.cpu.cpu0.cpufreq.scaling_governor"
	case "module":
		what, hint = "name of a kernel module", "such as nvidia_uvm"
	case "path":
		what, hint = "absolute path", "begin it with /"
	case "token":
		what = "token of the form abcdef.0123456789abcdef"
		s = strings.TrimSpace(s)
	}
	article := "a "
	if strings.ContainsRune("aeiou", rune(what[0])) {
		article = "an "
	}
	shown := s
	if notation == "token" {
		shown = ""
	}
	return want(regexp.MustCompile(re).MatchString(s), shown, article+what, hint)
}

// Pattern is the regular expression (of ECMA 262) of a notation, or "" where that does not say all or is none.
func Pattern(notation string) string {
	const label = `[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?`
	switch notation {
	case "host-name", "domain":
		return `^` + label + `(\.` + label + `)*\.?$`
	case "registry": // a host, a host with a port, or everything
		return `^(\*|[A-Za-z0-9.:\[\]_-]+)$`
	case "sysctl":
		return `^[A-Za-z0-9_-]+([./][A-Za-z0-9_:@*-]+)+$`
	case "sysfs":
		return `^[A-Za-z0-9_:@-]+([./][A-Za-z0-9_:@-]+)+$`
	case "module":
		return `^[A-Za-z0-9_-]{1,55}$`
	case "path":
		return `^/`
	case "interface": // what Linux takes for the name of a network interface
		return `^[^\s/:]{1,15}$`
	case "variable":
		return `^[A-Za-z_][A-Za-z0-9_]*$`
	case "variable-setting":
		return `^[A-Za-z_][A-Za-z0-9_]*=`
	case "file-name":
		return `^[A-Za-z0-9_][A-Za-z0-9._-]*$`
	case "label":
		return `^([A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`
	case "document-name":
		return `^[A-Za-z0-9][A-Za-z0-9._/:-]*$`
	case "token":
		return `^[a-z0-9]{6}\.[a-z0-9]{16}$`
	}
	return ""
}

func checkURL(s string, schemes []string) error {
	u, err := url.Parse(s)
	if err != nil {
		return want(false, "", "a URL", "such as "+schemes[0]+"://host")
	}
	if !slices.Contains(schemes, u.Scheme) {
		return report.WithHint(report.Errorf(report.Invalid, "has the scheme %.40q", u.Scheme), "use %s://", strings.Join(schemes, ":// or "))
	}
	if host := u.Hostname(); !isHost(host) {
		return want(false, u.Redacted(), "a URL with a host", "such as "+schemes[0]+"://host")
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return want(false, u.Redacted(), "a URL with a port from 1 to 65535", "")
	}
	return nil
}

func hostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	return want(err == nil && isHost(host) && isPort(port), s, "a host with a port", "such as 10.0.0.2:8080")
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost takes names and addresses, those of IPv6 without brackets.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && regexp.MustCompile(Pattern("domain")).MatchString(s)
}

// want is nil if ok, else an error that says what is wanted instead of s; an empty s is not shown.
func want(ok bool, s, what, hint string) error {
	if ok {
		return nil
	}
	shown := ""
	if s != "" {
		if len(s) > 60 {
			s = s[:60]
		}
		shown = strconv.Quote(strings.ToValidUTF8(s, "")) + " "
	}
	err := report.Errorf(report.Invalid, "%sis not %s", shown, what)
	if hint == "" {
		return err
	}
	return report.WithHint(err, "%s", hint)
}
