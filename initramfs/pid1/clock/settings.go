package clock

import (
	"context"
	"slices"
)

// settings are the configuration with the servers that are used in the end.
type settings struct{ Config }

func (s settings) equal(o settings) bool {
	return s.Disabled == o.Disabled && s.BootTimeout == o.BootTimeout && slices.Equal(s.Servers, o.Servers)
}

// settings are the present ones, and what is closed when they may have changed.
func (t *task) settings() (s settings, config, offered <-chan struct{}) {
	s.Config, config = t.Config.Watch()
	network, offered := t.Offered.Watch()
	if len(s.Servers) == 0 {
		s.Servers = network
	}
	if len(s.Servers) == 0 {
		s.Servers = []string{DefaultServer}
	}
	return s, config, offered
}

// cancelOnChange waits for settings other than now, or for the end of ctx.
func (t *task) cancelOnChange(ctx context.Context, now settings, cancel func()) {
	for {
		s, config, offered := t.settings()
		if !s.equal(now) {
			cancel()
			return
		}
		select {
		case <-config:
		case <-offered:
		case <-ctx.Done():
			return
		}
	}
}
