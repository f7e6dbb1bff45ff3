package network

import (
	"testing"

	"github.com/bootwright/bootwright/machine/bootreport"
)

func TestReached(t *testing.T) {
	routed := Status{Made: true, Online: true, Report: bootreport.Network{Routes: []bootreport.Route{{To: "10.0.0.0/8"}, {To: "::/0"}}}}
	for _, c := range []struct {
		s    Status
		want map[string]bool
	}{
		{Status{}, map[string]bool{"addresses": false, "connectivity": false, "hostname": false, "etcfiles": false}},
		{Status{Made: true}, map[string]bool{"addresses": false, "connectivity": false, "hostname": true, "etcfiles": true}},
		{Status{Made: true, Online: true}, map[string]bool{"addresses": true, "connectivity": false, "hostname": true, "etcfiles": true}},
		{routed, map[string]bool{"addresses": true, "connectivity": true, "hostname": true, "etcfiles": true}},
	} {
		for what, want := range c.want {
			if got := c.s.Reached(what); got != want {
				t.Errorf("%+v has reached %s: %t", c.s, what, got)
			}
		}
	}
}
