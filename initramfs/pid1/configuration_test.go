package pid1

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// nameless is the name of the test's machine where nobody gives it one.
const nameless = "bootwright-cd28ea"

// area is one that holds configurations by match.
func area(t *testing.T, configs map[string]string) string {
	t.Helper()
	var entries []configarea.Entry
	for match, text := range configs {
		entries = append(entries, configarea.Entry{Match: match, Config: []byte(text)})
	}
	p, err := configarea.Encode(entries, configarea.Unit)
	must(t, err)
	return string(p)
}

// boots boots a machine whose initramfs has the files, and returns its report. The name in that must be the kernel's.
func boots(t *testing.T, files map[string]string) (*fake.Machine, *bootreport.Report) {
	t.Helper()
	host := ""
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) {
		m.Contents["proc"]["sys/kernel/hostname"] = "(none)\n"
		m.Contents["sysfs"]["class/net/lo/address"] = "00:00:00:00:00:00\n"
		m.Contents["sysfs"]["class/net/eth0/address"] = "52:54:00:00:00:01\n"
		for name, text := range files {
			must(t, m.MkdirAll("/"+name[:strings.LastIndex(name, "/")], 0o755))
			must(t, m.WriteFile("/"+name, []byte(text), 0o400))
		}
	}, func(t *testing.T, m *fake.Machine) {
		p, err := m.ReadFile("/proc/sys/kernel/hostname")
		must(t, err)
		host = strings.TrimSpace(string(p))
	})
	r := reportOf(t, m)
	if r.Hostname != strings.TrimPrefix(host, "(none)") {
		t.Errorf("the kernel's host name is %q, the report's %q", host, r.Hostname)
	}
	if r.ReadyMS == 0 {
		t.Errorf("the machine is not ready: %+v", r.Errors)
	}
	return m, r
}

func TestConfig(t *testing.T) {
	second := "---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: log\nurl: udp://10.0.0.1:514\n"
	baked := area(t, map[string]string{
		"default": configareatest.Worker("rest"), "u-u-i-d": configareatest.Worker("by-uuid.example.org") + second, "52:54:00:00:00:01": configareatest.Worker("by-mac"),
	})
	byMAC := area(t, map[string]string{"52:54:00:00:00:01": configareatest.Worker("by-mac")})
	nobody := area(t, map[string]string{"other": configareatest.Worker("other")})
	for name, c := range map[string]struct {
		files                    map[string]string
		source, match, host, doc string
	}{
		"by UUID":            {map[string]string{configarea.Path: baked}, "baked", "u-u-i-d", "by-uuid", "KmsgLogConfig/log"},
		"by MAC":             {map[string]string{configarea.Path: byMAC}, "baked", "52:54:00:00:00:01", "by-mac", "v1alpha1/"},
		"embedded":           {map[string]string{configarea.EmbeddedPath: baked}, "initramfs", "u-u-i-d", "by-uuid", "KmsgLogConfig/log"},
		"both":               {map[string]string{configarea.Path: byMAC, configarea.EmbeddedPath: baked}, "baked", "52:54:00:00:00:01", "by-mac", "v1alpha1/"},
		"embedded is left":   {map[string]string{configarea.Path: nobody, configarea.EmbeddedPath: byMAC}, "initramfs", "52:54:00:00:00:01", "by-mac", "v1alpha1/"},
		"nothing for it":     {map[string]string{configarea.Path: nobody}, "none", "", nameless, ""},
		"nothing in there":   {map[string]string{configarea.Path: area(t, nil)}, "none", "", nameless, ""},
		"nothing is carried": {nil, "none", "", nameless, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, r := boots(t, c.files)
			doc := ""
			for _, d := range r.Config.Documents {
				doc = d.Kind + "/" + d.Name
			}
			if r.Config.Source != c.source || r.Config.Match != c.match || r.Hostname != c.host || doc != c.doc || len(r.Errors)+len(r.Config.Findings) > 0 {
				t.Errorf("%q %+v, errors %+v", r.Hostname, r.Config, r.Errors)
			}
			if strings.Contains(m.Shown(""), configareatest.Token) {
				t.Error("a secret is on a console")
			}
		})
	}
}

// TestBadConfig: the node says what is wrong, and where, and keeps running.
func TestBadConfig(t *testing.T) {
	worker := configareatest.Worker("a")
	for name, c := range map[string]struct{ text, place, message, failed string }{
		"wrong field": {strings.Replace(worker, "network:", "netwrok:", 1), "7:3", "machine.netwrok", "has 1 faults"},
		"wrong word":  {strings.Replace(worker, "type: worker", "type: wroker", 1), "3:9", "machine.type", "has 1 faults"},
		"secret":      {strings.Replace(worker, "    crt: ", "    crt: hunter2", 1), "6:10", "machine.ca.crt", "has 1 faults"},
		"no YAML":     {"a: [", "", "", "faults and is not used"},
		"two":         {worker + "---\n" + worker, "", "duplicate document", "has 1 faults"},
		"nothing":     {"", "", "no document", "has 1 faults"},
		"binary":      {"\x7fELF\x00\x01", "", "", "faults and is not used"},
	} {
		t.Run(name, func(t *testing.T) {
			m, r := boots(t, map[string]string{configarea.Path: area(t, map[string]string{"default": c.text})})
			if r.Config.Source != "baked" || len(r.Config.Documents) > 0 || len(r.Config.Findings) == 0 || r.Hostname != nameless {
				t.Fatalf("%+v", r.Config)
			}
			if said := r.Config.Findings[0].String(); !strings.HasPrefix(said, c.place) || !strings.Contains(said, c.message) {
				t.Errorf("%s", said)
			}
			if len(r.Errors) != 1 || r.Errors[0].Step != "documents" || r.Errors[0].Fatal || !strings.Contains(r.Errors[0].Error, c.failed) {
				t.Errorf("%+v", r.Errors)
			}
			if strings.Contains(m.Shown(""), "hunter2") {
				t.Errorf("a secret is on a console: %s", m.Shown(""))
			}
		})
	}
}

// TestBadArea: a damaged area is no reason not to look further.
func TestBadArea(t *testing.T) {
	_, r := boots(t, map[string]string{
		configarea.Path: "# bootwright configuration area v1\nx", configarea.EmbeddedPath: area(t, map[string]string{"default": configareatest.Worker("a")}),
	})
	if r.Hostname != "a" || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Error, "baked: configuration area: offset 35") {
		t.Errorf("%+v %+v", r.Config, r.Errors)
	}
	_, r = boots(t, map[string]string{configarea.Path: strings.Repeat("\n", configarea.MaxSize+1)})
	if len(r.Errors) != 1 || r.Errors[0].Step != "configs" || !strings.Contains(r.Errors[0].Error, "more than") {
		t.Errorf("%+v", r.Errors)
	}
}
