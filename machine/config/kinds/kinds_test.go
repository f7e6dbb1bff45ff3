package kinds_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/configtest"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

func now() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestValidate: a document beside the main one of a worker, and the messages that it brings.
func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		add  string
		want []string
	}{
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\nprovisioning: {minSize: 2GB, maxSize: 1GB}\n", []string{"unknown value", "min size is greater than max size"}},
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {diskSelector: {match: disk.size > 10 * GB}}\n",
			[]string{"provisioning.diskSelector.match: disk selector is invalid: at character 16: * does not take int and uint (sizes are unsigned"}},
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {diskSelector: {match: disk.model}}\n", []string{"it is of type string, not bool"}},
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {diskSelector: {match: \"" + strings.Repeat("!", 100) + "disk.readonly\"}}\n",
			[]string{"provisioning.diskSelector.match: disk selector is invalid: at character"}},
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {diskSelector: {match: \"" + strings.Repeat("disk.readonly || ", 300) + "true\"}}\n",
			[]string{"provisioning.diskSelector.match: disk selector is invalid: at character"}},
		{"apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\ntimeout: 5s\n", []string{"less than 10s"}},
		{"apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: a\nportSelector: {ports: [80, 70-90], protocol: tpc}\ningress: [{subnet: 10.0.0.0/8, except: 11.0.0.0/9}]\n",
			[]string{"70-90 overlaps 80", `did you mean "tcp"?`, "is not in 10.0.0.0/8", "warning: kind: without a default action"}},
		{"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\n", []string{"url: the field is required"}},
		{"apiVersion: v1alpha1\nkind: KubeSpanEndpointsConfig\nextraAnnouncedEndpoints: [a]\n", []string{"is not an IP address with a port", "KubeSpan is not enabled"}},
		{"apiVersion: v1alpha1\nkind: EventSinkConfig\nendpoint: a\n", []string{"is not a host with a port"}},
		{"apiVersion: v1alpha1\nkind: SideroLinkConfig\napiUrl: https://a/b\n", []string{"has the path"}},
		{"apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\n", []string{"either configFiles or environment"}},
		{"apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\nenvironment: [A=1, A=2, b-c=1]\nconfigFiles: [{content: a, mountPath: /a}, {content: b, mountPath: /a}, {content: b, mountPath: a}, {content: b}]\n",
			[]string{"environment[1]: the variable A is given twice", "is not a variable setting", "configFiles[1]: the path /a is given twice", "is not an absolute path", "configFiles[3].mountPath: the field is required"}},
		{"apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: a\nportSelector: {ports: [0], protocol: tcp}\n---\napiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: drop\n", []string{"there is no port 0", "unknown value"}},
		{"apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /etc/watchdog\ntimeout: 1m\n", []string{"is not a device (such as /dev/watchdog0)"}},
		{"apiVersion: v1alpha1\nkind: SideroLinkConfig\napiUrl: ftp://a\n", []string{`has the scheme "..." (use grpc:// or https://)`}},
		{"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\nurl: tcp://h\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: b\nurl: tcp://h:1\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: c\nurl: tcp://h:1\n",
			[]string{"is not a URL with a port from 1 to 65535", "conflicting documents: KmsgLogConfig/b sends to the same place"}},
		{"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\nurl: tcp://h:1\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\nurl: tcp://h:2\n", []string{"duplicate document: KmsgLogConfig/a"}},
		{"apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\n", []string{"warning: name: the image cache is not enabled"}},
		{"apiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: a\ncertificates: x\n", []string{"no PEM certificate"}},
	} {
		_, findings := config.Check("x", config.Join([]byte(new(v1alpha1.Config).Example()), []byte(c.add)), check.Options{Now: now()})
		got := configtest.Said(findings)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s\nsays\n%s\nnot %s", c.add, got, want)
			}
		}
		if len(findings) != len(c.want) {
			t.Errorf("%s\nsays\n%s\nwant %d findings", c.add, got, len(c.want))
		}
	}
}
