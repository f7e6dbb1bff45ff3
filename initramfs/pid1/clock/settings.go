package clock

import (
	"context"
	"slices"
	"strings"
)

// settings are the configuration with the servers that are used in the end.
type settings struct {
	Config
	online bool
}

func (s settings) equal(o settings) bool {
	return s.Disabled == o.Disabled && s.BootTimeout == o.BootTimeout && s.online == o.online && slices.Equal(s.Servers, o.Servers)
}

// askable tells whether there is a server that may answer.
func (s settings) askable() bool { return s.online || slices.ContainsFunc(s.Servers, isDevice) }

func isDevice(server string) bool { return strings.HasPrefix(server, "/dev/") }

// settings are the present ones, and what is closed when they may have changed.
func (t *task) settings() (s settings, config, network <-chan struct{}) {
	s.Config, config = t.Config.Watch()
	known, network := t.Network.Watch()
	s.online = known.Online
	if len(s.Servers) == 0 {
		s.Servers = known.Servers
	}
	if len(s.Servers) == 0 {
		s.Servers = []string{DefaultServer}
	}
	return s, config, network
}

// cancelOnChange waits for settings other than now, or for the end of ctx.
func (t *task) cancelOnChange(ctx context.Context, now settings, cancel func()) {
	for {
		s, config, network := t.settings()
		if !s.equal(now) {
			cancel()
			return
		}
		select {
		case <-config:
		case <-network:
		case <-ctx.Done():
			return
		}
	}
}
