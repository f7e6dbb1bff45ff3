package cmdline

import (
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// The arguments that the machine itself obeys.
const (
	Platform               = "talos.platform"                 // where the machine runs: metal, vmware …
	Config                 = "talos.config"                   // URL of the machine configuration
	ConfigEarly            = "talos.config.early"             // the same, before any other source
	ConfigInline           = "talos.config.inline"            // the configuration itself: zstd, base64, in chunks
	Board                  = "talos.board"                    // single-board computer
	Hostname               = "talos.hostname"                 //
	Shutdown               = "talos.shutdown"                 // "halt" or "poweroff": what a shutdown ends in
	Wipe                   = "talos.experimental.wipe"        // "system" or "system:LABEL,LABEL"
	HaltIfInstalled        = "talos.halt_if_installed"        // 1: stop when the disk holds an installation
	KernelLog              = "talos.logging.kernel"           // tcp:// or udp:// destination of the kernel log
	EventsSink             = "talos.events.sink"              // destination of events
	Environment            = "talos.environment"              // NAME=value for services; may be repeated
	DashboardDisabled      = "talos.dashboard.disabled"       // 1: no dashboard on the screen
	AuditdDisabled         = "talos.auditd.disabled"          // 1: no audit daemon
	NetworkInterfaceIgnore = "talos.network.interface.ignore" // leave this interface alone; may be repeated
	DeviceSettleTime       = "talos.device.settle_time"       // how long to wait for slow devices
	UnifiedCgroups         = "talos.unified_cgroup_hierarchy" //
)

// prefix is that of the arguments of which an unknown one is probably a mistake.
const prefix = "talos."

// Known are the names of all arguments above, and those of their kind that take part in fetching the configuration.
func Known() []string {
	return []string{
		Platform, Config, ConfigEarly, ConfigInline, Board, Hostname, Shutdown, Wipe, HaltIfInstalled, KernelLog, EventsSink,
		Environment, DashboardDisabled, AuditdDisabled, NetworkInterfaceIgnore, DeviceSettleTime, UnifiedCgroups,
		"talos.config.oauth.client_id", "talos.config.oauth.client_secret", "talos.config.oauth.audience",
		"talos.config.oauth.scope", "talos.config.oauth.extra_variable",
	}
}

// Unknown is an argument that looks like one for the machine and is none.
type Unknown struct {
	Name    string `json:"name"`
	Nearest string `json:"nearest,omitempty"` // the known one that was probably meant
}

// Unknown are the arguments that begin with "talos." and are not among Known, each once.
func (a Args) Unknown() []Unknown {
	var found []Unknown
	for _, arg := range a {
		isIt := func(name string) bool { return same(arg.Key, name) }
		seen := func(u Unknown) bool { return isIt(u.Name) }
		if strings.HasPrefix(arg.Key, prefix) && !slices.ContainsFunc(Known(), isIt) && !slices.ContainsFunc(found, seen) {
			found = append(found, Unknown{arg.Key, report.Nearest(arg.Key, Known())})
		}
	}
	return found
}

// Others are the arguments that do not begin with "talos.": those of the kernel itself and of its modules.
func (a Args) Others() Args {
	return slices.DeleteFunc(slices.Clone(a), func(arg Arg) bool { return strings.HasPrefix(arg.Key, prefix) })
}

// Machine are the arguments that begin with "talos.", as a report may show them: secrets and long values are left out.
func (a Args) Machine() map[string]string {
	const longest = 200
	found := map[string]string{}
	for _, arg := range a {
		if !strings.HasPrefix(arg.Key, prefix) {
			continue
		}
		value := HideURL(arg.Value)
		if same(arg.Key, ConfigInline) || strings.Contains(arg.Key, "secret") || len(value) > longest {
			value = "…"
		}
		if before, ok := found[arg.Key]; ok {
			value = before + " " + value
		}
		found[arg.Key] = value
	}
	return found
}

// HideURL is a URL as it may be shown: without user and password, and with "…" for what comes after "?". Other text stays.
func HideURL(s string) string {
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return s
	}
	rest, _, query := strings.Cut(rest, "?")
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = "…" + host[at:]
	}
	if query {
		path += "?…"
	}
	return scheme + "://" + host + path
}
