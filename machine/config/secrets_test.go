package config

import (
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// TestHideSecrets shows that lines with secrets are not shown, whatever a finding says, and others are.
func TestHideSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f    report.Finding
		want string
	}{
		{report.Finding{Severity: report.Fault, Path: "machine.network.hostname", Message: `"x y" is no name`, Source: "hostname: x y", Line: 1, Column: 1}, "machine.network.hostname: \"x y\" is no name\n  hostname: x y\n  ^"},
		{report.Finding{Severity: report.Fault, Path: "machine.token", Message: `found the text "hunter2", want a list`, Source: "token: hunter2", Line: 1}, "machine.token: found something else, want a list"},
		{report.Finding{Severity: report.Fault, Path: "cluster.secret", Message: `"hunter2" is not base64`}, `cluster.secret: "..." is not base64`},
		{report.Finding{Severity: report.Fault, Path: "machine.tokne", Message: "unknown field", Hint: `did you mean "token"?`, Source: "tokne: hunter2", Line: 1}, "machine.tokne: unknown field\n  hint: did you mean \"token\"?"},
		{report.Finding{Severity: report.Fault, Message: "this quoted text does not end", Source: `  "password": "hunter2`, Line: 1}, "this quoted text does not end"},
		{report.Finding{Severity: report.Fault, Path: "disks[0].keys[0].static.passphrase", Message: "too short", Source: "- {passphrase: hunter2}", Line: 1}, "disks[0].keys[0].static.passphrase: too short"},
		{report.Finding{Severity: report.Fault, Path: "machine.network.hostname", Message: `"x y" is no name`, Source: "{token: hunter2, hostname: x y}", Line: 1}, `machine.network.hostname: "x y" is no name`},
		{report.Finding{Severity: report.Fault, Path: `machine.env["https-proxy"]`, Message: "is no name", Source: "https-proxy: http://me:hunter2@proxy", Line: 1}, `machine.env["https-proxy"]: is no name`},
		{report.Finding{Severity: report.Fault, Path: "apiUrl", Message: `"https://a_?jointoken=hunter2" is not a URL with a host`}, `apiUrl: "..." is not a URL with a host`},
		{report.Finding{Severity: report.Fault, Message: "operation 0 (add /machine/a/token): there is nothing at /machine/a", Source: `[{"op": "add", "path": "/machine/a/token", "value": "hunter2"}]`, Line: 1}, "operation 0 (add /machine/a/token): there is nothing at /machine/a"},
		{report.Finding{Severity: report.Fault, Path: "peers[1]", Message: "the peer x is given twice", Source: "- publicKey: x", Line: 1}, "peers[1]: the peer x is given twice"},
	} {
		if got := HideSecrets(report.Findings{c.f})[0].String(); got != c.want {
			t.Errorf("shows %s\nwant %s", got, c.want)
		}
	}
}
