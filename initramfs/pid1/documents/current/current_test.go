package current

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

const state = "/system/state"

// machine is what a Config works with, and what it has been told.
type machine struct {
	*fake.Machine
	*Config
	value watch.Value[*config.Config]
	state watch.Value[string]

	mu     sync.Mutex
	log    strings.Builder
	report bootreport.Report
	used   []string // the host name of each configuration
}

func (m *machine) Infof(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintf(&m.log, format+"\n", args...)
}

func (m *machine) Warnf(format string, args ...any) { m.Infof("warning: "+format, args...) }

func (m *machine) told() (log, used string, said bootreport.Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.String(), strings.Join(m.used, " "), m.report.Config
}

// newMachine has STATE mounted where kept, what that holds, is not "-". Carried is for it, in the initramfs.
func newMachine(t *testing.T, kept, carried string) *machine {
	t.Helper()
	files := map[string]string{state[1:] + "/": ""}
	if kept != "" {
		files[state[1:]+"/config.yaml"] = kept
	}
	if carried != "" {
		area, err := configarea.Encode([]configarea.Entry{{Match: "id", Config: []byte(carried)}}, configarea.Unit)
		if err != nil {
			t.Fatal(err)
		}
		files[configarea.Path] = string(area)
	}
	m := &machine{Machine: fake.New(t, files)}
	if kept != "-" {
		m.state.Set(state)
	}
	m.Config = New(Deps{
		M: m.Machine, Log: m, Value: &m.value,
		Use: func(main *v1alpha1.Config) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.used = append(m.used, main.Machine.Network.Hostname)
		},
		Who:      func() configarea.Machine { return configarea.Machine{UUID: "id"} },
		State:    m.state.Watch,
		Hostname: func(string) {},
		Run:      func(_ string, task func(context.Context) error) { go task(t.Context()) },
		Change: func(f func(*bootreport.Report)) {
			m.mu.Lock()
			defer m.mu.Unlock()
			f(&m.report)
		},
		Fault: func(err error) { m.Warnf("fault: %v", err) },
	})
	if err := m.Collect(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLoad: what is kept counts before what is carried, and gives way where it is not good.
func TestLoad(t *testing.T) {
	kept, carried := configareatest.Worker("kept"), configareatest.Worker("carried")
	for name, c := range map[string]struct{ kept, carried, used, source, fault string }{
		"kept":          {kept, carried, "kept", bootreport.SourceState, ""},
		"none kept":     {"", carried, "carried", bootreport.SourceBaked, ""},
		"no STATE":      {"-", carried, "carried", bootreport.SourceBaked, ""},
		"kept is wrong": {"a: [", carried, "carried", bootreport.SourceBaked, "/system/state/config.yaml:"},
		"both wrong":    {"a: [", "a: {", "", bootreport.SourceBaked, "for id has 1 faults"},
		"nothing":       {"", "", "", bootreport.SourceNone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, c.kept, c.carried)
			err := m.Load()
			log, used, said := m.told()
			if used != c.used || said.Source != c.source || fmt.Sprint(err) == "<nil>" && c.fault != "" || err != nil && (c.fault == "" || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("used %q, %+v, %v; want %q, %s, %s\n%s", used, said, err, c.used, c.source, c.fault, log)
			}
			if v, _ := m.value.Get(); (v != nil) != (c.used != "") {
				t.Errorf("the value is %v", v)
			}
		})
	}
}

// TestFind: a boot waits for what comes from outside, but not for ever, and what comes later is used all the same.
func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		carried string
		after   time.Duration // the server answers then
		found   bool
		used    string
	}{
		"at once":               {"", 0, true, "outside"},
		"in time":               {"", 20 * time.Second, true, "outside"},
		"late":                  {"", time.Hour, false, "outside"},
		"there is one":          {configareatest.Worker("carried"), 0, false, "carried"},
		"there is one, no good": {"a: [", 0, false, ""},
		"not in this test":      {"", 2 * time.Hour, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, start := newMachine(t, "", c.carried), time.Now()
				m.Load()
				found := m.Find(Outside{Find: func(context.Context) (documents.Given, error) {
					if time.Since(start) < c.after {
						return documents.Given{}, report.Errorf(report.Unavailable, "not yet")
					}
					return documents.Given{Source: bootreport.SourceURL, Origin: "http://x", Text: []byte(configareatest.Worker("outside"))}, nil
				}})
				if took := time.Since(start); found != c.found || took > patience {
					t.Errorf("found: %t after %s", found, took)
				}
				time.Sleep(90 * time.Minute)
				synctest.Wait()
				if log, used, said := m.told(); used != c.used {
					t.Errorf("used %q, %+v\n%s", used, said, log)
				}
			})
		})
	}
}

// TestLate: what a STATE has that opens late counts before what the machine has used meanwhile, which is not written over it.
func TestLate(t *testing.T) {
	kept, carried := configareatest.Worker("kept"), configareatest.Worker("carried")
	for name, c := range map[string]struct {
		kept, carried string
		outside       time.Duration // the server answers then
		open          time.Duration // STATE opens then
		used, has     string        // the host names that were used, and what STATE has in the end
		log           string
	}{
		"nothing else":           {kept, "", 2 * time.Hour, time.Minute, "kept", "hostname: kept", ""},
		"before the search":      {kept, "", 0, 0, "kept", "hostname: kept", ""},
		"one came with it":       {kept, carried, 0, time.Minute, "carried kept", "hostname: kept", ""},
		"one was found":          {kept, "", 0, time.Minute, "outside kept", "hostname: kept", ""},
		"one would be found":     {kept, "", time.Hour, time.Minute, "kept", "hostname: kept", ""},
		"STATE has none":         {"", carried, 0, time.Minute, "carried", "hostname: carried", "is kept in STATE"},
		"STATE has none, at all": {"", "", 0, time.Minute, "outside", "hostname: outside", "is kept in STATE"},
		"STATE's is wrong":       {"a: [", carried, 0, time.Minute, "carried", "hostname: carried", "fault: the machine configuration /system/state/config.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, start := newMachine(t, c.kept, c.carried), time.Now()
				m.state.Set("")
				go m.Keep(t.Context())
				m.Load()
				synctest.Wait()
				if c.open == 0 {
					m.state.Set(state)
				}
				m.Find(Outside{Find: func(context.Context) (documents.Given, error) {
					if time.Since(start) < c.outside {
						return documents.Given{}, report.Errorf(report.Unavailable, "not yet")
					}
					return documents.Given{Source: bootreport.SourceURL, Origin: "http://x", Text: []byte(configareatest.Worker("outside"))}, nil
				}})
				time.Sleep(c.open)
				m.state.Set(state)
				time.Sleep(90 * time.Minute)
				synctest.Wait()
				p, _ := m.ReadFile(state + "/config.yaml")
				if log, used, said := m.told(); used != c.used || !strings.Contains(string(p), c.has) || !strings.Contains(log, c.log) || said.Waiting != "" {
					t.Errorf("used %q, %+v, STATE has %.300q\n%s", used, said, p, log)
				}
			})
		})
	}
}

// TestAgain: what is found when the machine is told to look again replaces what it has, unless it is no good.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, text := newMachine(t, "", ""), configareatest.Worker("first")
		m.Load()
		m.Find(Outside{Find: func(context.Context) (documents.Given, error) {
			return documents.Given{Source: bootreport.SourceURL, Origin: "http://x", Text: []byte(text)}, nil
		}})
		for _, c := range []struct{ text, used, pending string }{
			{configareatest.Worker("second"), "first second", ""},
			{"a: [", "first second", ""},
			{strings.Replace(configareatest.Worker("third"), "  token: ", "  token: x", 1), "first second third", ".machine.token"},
		} {
			text = c.text
			m.Again()
			synctest.Wait()
			log, used, said := m.told()
			if used != c.used || strings.Join(said.Pending, " ") != c.pending || (said.Refused == "") != (c.text != "a: [") {
				t.Errorf("used %q, %+v\n%s", used, said, log)
			}
		}
	})
}

// TestKeep: STATE gets the configuration when both are there, and again when it is another.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, "-", configareatest.Worker("first"))
		ended := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- m.Keep(ctx) }()
		has := func(want string, times int) {
			t.Helper()
			synctest.Wait()
			p, _ := m.ReadFile(state + "/config.yaml")
			log, _, _ := m.told()
			if !strings.Contains(string(p), want) || strings.Count(log, "is kept in STATE") != times {
				t.Errorf("STATE has %.300q; want %q\n%s", p, want, log)
			}
		}
		if err := m.Load(); err != nil {
			t.Fatal(err)
		}
		has("", 0)
		m.state.Set(state)
		has("hostname: first", 1)
		m.state.Set(state) // something else has changed
		has("hostname: first", 1)
		c, _, err := documents.LoadGiven(documents.Given{Text: []byte(configareatest.Worker("second"))})
		if err != nil {
			t.Fatal(err)
		}
		m.value.Set(c)
		has("hostname: second", 2)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		m.state.Set("/dev/null")
		if err := m.Keep(t.Context()); err == nil {
			t.Error("a STATE that takes nothing is no fault")
		}
	})
}
