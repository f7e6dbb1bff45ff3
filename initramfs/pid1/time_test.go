package pid1

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestTime boots machines whose clock says 1990; the true time is 2000-01-01, and the image is from 1998.
func TestTime(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   bootreport.Clock // at the end, without figures
		says   string
	}{
		"no configuration": {
			"", bootreport.Clock{Servers: []string{"time.cloudflare.com"}, Jumps: 1},
			"warning: the clock said 1990-01-03T00:00:00Z; it is set to when the image was built, 1998-07-09T16:00:00Z",
		},
		"device": {
			"servers: [/dev/ptp0]", bootreport.Clock{Synced: true, Servers: []string{"/dev/ptp0"}, Source: "/dev/ptp0", Jumps: 2},
			"via /dev/ptp0, state TIME_OK, status STA_NANO",
		},
		"no such device, but a timeout": {
			"servers: [/dev/ptp1], bootTimeout: 5s",
			bootreport.Clock{Synced: true, Servers: []string{"/dev/ptp1"}, Jumps: 1, Faults: []string{"/dev/ptp1: open /dev/ptp1: file does not exist"}},
			"warning: time is not synchronised after 5s; it is taken as it is",
		},
		"disabled": {
			"disabled: true", bootreport.Clock{Synced: true, Disabled: true, Servers: []string{"time.cloudflare.com"}, Jumps: 1},
			"bootwright: time synchronisation is disabled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := bubble(t, good, func(t *testing.T, m *fake.Machine) {
				m.Ahead = time.Until(time.Date(1990, 1, 3, 0, 0, 0, 0, time.UTC))
				m.PTP = map[string]func() time.Time{"/dev/ptp0": time.Now}
				if c.config != "" {
					text := strings.Replace(configareatest.Worker("w"), "machine:\n", "machine:\n  time: {"+c.config+"}\n", 1)
					must(t, m.MkdirAll("/.extra/credentials", 0o755))
					must(t, m.WriteFile("/"+configarea.Path, []byte(area(t, map[string]string{"default": text})), 0o400))
				}
			}, nil)
			r := reportOf(t, m)
			got := r.Clock
			const floor = "1998-07-09T15:59:59Z" // the build, less what the fake's clock rounds away
			if got.Now < floor || got.Synced != c.want.Synced || got.Disabled != c.want.Disabled || got.Source != c.want.Source || got.Jumps != c.want.Jumps ||
				!slices.Equal(got.Servers, c.want.Servers) || !slices.Equal(got.Faults, c.want.Faults) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			if shown := m.Shown(serial); !strings.Contains(shown, c.says) {
				t.Errorf("%q is not in:\n%s", c.says, shown)
			}
		})
	}
}
