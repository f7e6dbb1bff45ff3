package semver_test

import (
	"testing"

	"github.com/bootwright/bootwright/extensions/semver"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

func TestRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r, in, out string // versions inside and outside, with spaces between
	}{
		{">= v1.9.0", "1.9.0 v1.9.0 1.9.1 1.10.0 2.0.0 1.9.0-alpha.1 1.9.0+b", "1.8.9 0.99.99"},
		{">=1.9.0 <1.11.0", "1.9.0 1.10.99", "1.8.0 1.11.0"},
		{">=1.9.0&&<1.11.0", "1.9.0 1.10.99", "1.8.0 1.11.0"},
		{">= 1.9.0, != 1.9.3", "1.9.2 1.9.4", "1.9.3"},
		{"1.9.0 || > 1.9.5 !1.10.0", "1.9.0 1.9.6", "1.9.1 1.9.5 1.10.0"},
		{"==1.9.0", "1.9.0 1.9.0-rc.1", "1.9.1"},
		{"1.9", "1.9.0 1.9.9", "1.10.0 1.8.9"},
		{"1.x || 3.*", "1.0.0 1.99.0 3.1.0", "0.9.0 2.0.0"},
		{"x", "0.0.0 99.0.0", ""},
		{"> 1.9", "1.10.0 2.0.0", "1.9.9 1.8.0"},
		{"<= 1.9.x", "1.9.9 1.0.0", "1.10.0"},
		{"> 1.9.0-alpha.0", "1.9.0 1.9.0-alpha.0", "1.8.9"},
		{"< 1.9.0-alpha.1", "1.8.9", "1.9.0 1.9.0-alpha.0"},
		{"> 18446744073.0.0", "9223372036854775807.0.0", "1.0.0"},
	} {
		r, err := semver.ParseRange(c.r)
		if err != nil {
			t.Error(err)
			continue
		}
		for want, list := range map[bool]string{true: c.in, false: c.out} {
			for _, v := range words(list) {
				parsed, err := semver.Parse(v)
				if err != nil || r.Has(parsed) != want {
					t.Errorf("%q has %s: %v, %v", c.r, v, !want, err)
				}
			}
		}
	}
	if (semver.Range{}).Has(semver.Version{}) {
		t.Error("the zero range has a version")
	}
}

func words(s string) (out []string) {
	word := ""
	for _, c := range s + " " {
		if c != ' ' {
			word += string(c)
		} else if word != "" {
			out, word = append(out, word), ""
		}
	}
	return out
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "v", "1", "1.9", "1.x.0", "1.9.0.1", "01.9.0", "1.-9.0", "1.9.0-", "1.9.0+", "1.9.0-a..b", "1.9.0-ä", "+1.9.0", "1.9.0-a+b+c", "9223372036854775808.0.0", "vv1.9.0"} {
		_, err := semver.Parse(s)
		reporttest.Want(t, err, report.Invalid)
	}
	for _, s := range []string{"", ">=", "||", "1.9.0 ||", ">= 1.9.0 <", "=> 1.9.0", "~1.9.0", "^1.9", "(>1.9.0)", "1.9.0 - 1.10.0", "x.9", "1.9-alpha", ">=1.9.0 and <2"} {
		_, err := semver.ParseRange(s)
		reporttest.Want(t, err, report.Invalid, "version range")
	}
}

func FuzzParseRange(f *testing.F) {
	f.Add(">= v1.9.0 && < 2.x || !3.0.0-a.b+c")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := semver.ParseRange(s)
		if err == nil {
			r.Has(semver.Version{1, 9, 0})
		}
		if _, err := semver.Parse(s); err == nil {
			if _, err := semver.ParseRange(s); err != nil {
				t.Errorf("%q is a version and no range: %v", s, err)
			}
		}
	})
}
