package cmdline

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Args
		out  string // if it is not in
	}{
		{"", nil, ""},
		{" \t\n", nil, " "},
		{"quiet panic=10 x=", Args{{"quiet", "", false}, {"panic", "10", true}, {"x", "", true}}, ""},
		{"a=b=c", Args{{"a", "b=c", true}}, ""},
		{`a="b c" d`, Args{{"a", "b c", true}, {"d", "", false}}, ""},
		{`"a=b c"`, Args{{"a", "b c", true}}, `a="b c"`},
		{`"a b"`, Args{{"a b", "", false}}, ""},
		{`a="unclosed b`, Args{{"a", "unclosed b", true}}, `a="unclosed b"`},
		{"BOOT_IMAGE=/vmlinuz  ro\n", Args{{"BOOT_IMAGE", "/vmlinuz", true}, {"ro", "", false}}, "BOOT_IMAGE=/vmlinuz ro"},
	} {
		got := Parse(c.in)
		if !slices.Equal(got, c.want) {
			t.Errorf("Parse(%q) = %v, want %v", c.in, got, c.want)
		}
		if c.out == "" {
			c.out = c.in
		}
		if s := got.String(); s != strings.TrimSpace(c.out) {
			t.Errorf("Parse(%q) is written %q", c.in, s)
		}
	}
}

func TestGet(t *testing.T) {
	a := Parse("talos.platform=metal console=tty0 talos.platform=vmware console=ttyS0 quiet nvme_core.io_timeout=9 nvme-core.x nvme.y=1 modprobe.blacklist=a-b,c")
	if v, ok := a.Get(Platform); v != "vmware" || !ok {
		t.Errorf("platform %q %t", v, ok)
	}
	if v, ok := a.Get("quiet"); v != "" || !ok {
		t.Errorf("quiet %q %t", v, ok)
	}
	if _, ok := a.Get("debug"); ok {
		t.Error("debug is not there")
	}
	if v := a.All("console"); !slices.Equal(v, []string{"tty0", "ttyS0"}) {
		t.Errorf("consoles %v", v)
	}
	if v := a.ModuleOptions("nvme_core"); v != "io_timeout=9 x" {
		t.Errorf("options %q", v)
	}
	if v := Parse("quiet talos.platform=metal x=1").Others().String(); v != "quiet x=1" {
		t.Errorf("others %q", v)
	}
	if v := a.Blocked(); !slices.Equal(v, []string{"a_b", "c"}) {
		t.Errorf("blocked %v", v)
	}
}

func TestUnknown(t *testing.T) {
	a := Parse("talos.platfrom=metal talos.config=x talos.halt-if-installed=1 talos.zzzzzzzzzzzzzzzzzz other talos.platfrom")
	want := []Unknown{{"talos.platfrom", Platform}, {"talos.zzzzzzzzzzzzzzzzzz", ""}}
	if got := a.Unknown(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMachineHidesSecrets(t *testing.T) {
	a := Parse("talos.platform=metal talos.config.inline=AAAA talos.config.oauth.client_secret=s talos.environment=A=1 talos.environment=B=2 quiet")
	want := map[string]string{
		Platform: "metal", ConfigInline: "…", "talos.config.oauth.client_secret": "…", Environment: "A=1 B=2",
	}
	if got := a.Machine(); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`a="b c" "d e" f=`)
	f.Fuzz(func(t *testing.T, s string) {
		once := Parse(s)
		if strings.ContainsRune(s, '"') {
			return // what is quoted oddly, such as a"b c"d, has no other spelling
		}
		if twice := Parse(once.String()); !slices.Equal(once, twice) {
			t.Errorf("%q: %v, then %v", s, once, twice)
		}
	})
}
