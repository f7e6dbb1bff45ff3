// Package seek asks for a machine configuration outside of what was booted until there is one, and again when it is told to.
// A machine that has a configuration keeps it where what is found then is no good.
package seek

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Log is where faults are said.
type Log interface {
	Warnf(format string, args ...any)
}

// Deps are what a Seeker needs.
type Deps struct {
	Log      Log
	Find     func(context.Context) (documents.Given, error) // looks once, as documents.Finder.Find
	Online   func(context.Context)                          // waits for the network; nil where it is not needed
	Use      func(c *config.Config, said bootreport.Config) // takes what was found; c is nil where it is not good
	Hostname func(name string)                              // takes that of the platform
	Fault    func(err error)                                // takes what was wrong with the first
	Change   func(func(*bootreport.Config))                 // changes the boot report
	Again    <-chan struct{}                                // asks to look again, and not to wait any longer
}

// The waits: grace is for the network, before the first attempt; then the first and the longest wait between attempts, of a
// server and of a medium that somebody may plug in.
const (
	grace         = 10 * time.Second
	firstAgain    = 500 * time.Millisecond
	longestServer = time.Minute
	longestMedium = 5 * time.Second
)

// First asks until there is a configuration, or until there is no sense in it. It says what it waits for.
func First(ctx context.Context, d Deps) {
	longest := longestMedium
	if d.Online != nil {
		longest = longestServer
		online, cancel := context.WithTimeout(ctx, grace)
		d.Online(online)
		cancel()
	}
	complaint := ""
	for again := firstAgain; ; again = min(2*again, longest) {
		g, err := d.Find(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil || report.KindOf(err) == report.Unsupported {
			d.given(g, err)
			return
		}
		if text := err.Error(); text != complaint {
			complaint = text
			d.Log.Warnf("machine configuration: %s", text)
			d.Change(func(c *bootreport.Config) { *c = bootreport.Config{Source: g.Source, Origin: g.Origin, Waiting: text} })
		}
		select {
		case <-ctx.Done():
			return
		case <-d.Again:
		case <-time.After(again):
		}
	}
}

// given uses what was found.
func (d Deps) given(g documents.Given, err error) {
	if g.Hostname != "" {
		d.Hostname(g.Hostname)
	}
	said := bootreport.Config{Source: bootreport.SourceNone}
	var c *config.Config
	if err == nil && g.Text != nil {
		c, said, err = documents.LoadGiven(g)
	}
	d.Use(c, said)
	if err != nil {
		d.Log.Warnf("%v", err)
		d.Fault(err)
	}
}

// Follow looks again whenever it is asked to.
func Follow(ctx context.Context, d Deps) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.Again:
		}
		refused := ""
		if err := d.again(ctx); err != nil {
			refused = err.Error()
			d.Log.Warnf("the machine keeps its configuration: %v", err)
		}
		d.Change(func(c *bootreport.Config) { c.Refused = refused })
	}
}

// again looks once, and uses what it finds if it is good.
func (d Deps) again(ctx context.Context) error {
	g, err := d.Find(ctx)
	if err != nil {
		return err
	}
	if g.Text == nil {
		return errors.New("there is no other to be found")
	}
	c, said, err := documents.LoadGiven(g)
	if err != nil {
		for _, f := range said.Findings {
			d.Log.Warnf("machine configuration: %s", f)
		}
		return err
	}
	if g.Hostname != "" {
		d.Hostname(g.Hostname)
	}
	d.Use(c, said)
	return nil
}

// Pending are the fields in which a configuration differs from the one that the machine began with, and that it takes over
// only with a reboot: those that Talos Linux does not, without what this init does.
func Pending(booted, now *v1alpha1.Config) []string {
	return slices.DeleteFunc(config.NeedReboot(booted, now), func(field string) bool {
		return field == ".machine.files" || field == ".machine.env" || field == ".machine.udev"
	})
}
