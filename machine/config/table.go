package config

import (
	"slices"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// APIVersion is that of every document there is, and the version of the main one.
const APIVersion = "v1alpha1"

// MainKind stands for the main document, which has a version and no kind.
const MainKind = "v1alpha1"

// Value is the content of a document: a pointer to a struct with yaml tags.
type Value interface {
	Validate(at check.Place) // adds what is wrong beyond types
	Example() string
}

// Kind is a row of the table of kinds.
type Kind struct {
	Name  string
	Also  string // another spelling that is in use, or ""
	Named bool   // there can be several, told apart by name
	Doc   string // what it is for
	New   func() Value
}

// Kinds is the table of all kinds, the main document first.
func Kinds() []Kind {
	return []Kind{
		{Name: MainKind, Doc: "the machine and its cluster",
			New: func() Value { return new(v1alpha1.Config) }},
		{Name: "VolumeConfig", Named: true, Doc: "on which disk a system volume is made, and how big",
			New: func() Value { return new(kinds.VolumeConfig) }},
		{Name: "ExtensionServiceConfig", Named: true, Doc: "files and variables for the service of a system extension",
			New: func() Value { return new(kinds.ExtensionServiceConfig) }},
		{Name: "TrustedRootsConfig", Named: true, Doc: "certificate authorities to trust",
			New: func() Value { return new(kinds.TrustedRootsConfig) }},
		{Name: "KmsgLogConfig", Named: true, Doc: "where the kernel's log goes",
			New: func() Value { return new(kinds.KmsgLogConfig) }},
		{Name: "SideroLinkConfig", Doc: "the management service to join",
			New: func() Value { return new(kinds.SideroLinkConfig) }},
		{Name: "EventSinkConfig", Doc: "where events go",
			New: func() Value { return new(kinds.EventSinkConfig) }},
		{Name: "KubeSpanEndpointsConfig", Also: "KubespanEndpointsConfig", Doc: "more addresses of this machine in KubeSpan",
			New: func() Value { return new(kinds.KubespanEndpointsConfig) }},
		{Name: "NetworkDefaultActionConfig", Doc: "what becomes of traffic that no rule is about",
			New: func() Value { return new(kinds.NetworkDefaultActionConfig) }},
		{Name: "NetworkRuleConfig", Named: true, Doc: "traffic that is let in",
			New: func() Value { return new(kinds.NetworkRuleConfig) }},
		{Name: "WatchdogTimerConfig", Doc: "the hardware watchdog",
			New: func() Value { return new(kinds.WatchdogTimerConfig) }},
	}
}

// kindOf is the row of a kind, or what to do about a name that has none.
func kindOf(name string) (kind Kind, hint string, ok bool) {
	var names []string
	for _, k := range Kinds() {
		if name != "" && (k.Name == name || k.Also == name) {
			return k, "", true
		}
		names = append(names, k.Name)
	}
	if near := report.Nearest(name, names[1:]); near != "" {
		return Kind{}, "did you mean " + near + "?", false
	}
	slices.Sort(names[1:])
	return Kind{}, "kinds: " + joined(names[1:]), false
}
