// Package bootreport is what a machine says of its boot: one JSON object, which the init prints on its serial consoles as
// one line and keeps in /run/bootwright/report.json. It is what tests and people read first.
//
// Names of fields are stable: fields are added, never renamed. Times are milliseconds since the kernel started.
package bootreport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
)

const (
	// Prefix begins the console line that holds the report.
	Prefix = "bootwright-report: "
	// Ready is the console line after the report of a boot that succeeded.
	Ready = "bootwright: machine is ready"
	// Path is where the report of a running machine is.
	Path = "/run/bootwright/report.json"
)

// Report is one boot. Fields whose value is not known are left out.
type Report struct {
	Version       string             `json:"version"`                    // of the image
	Epoch         int64              `json:"epoch"`                      // its build time, in Unix seconds
	Base          string             `json:"base"`                       // name and version of its base
	Kernel        string             `json:"kernel"`                     // release, as uname -r
	Arch          string             `json:"arch"`                       // amd64 or arm64
	Platform      string             `json:"platform"`                   // the kernel argument talos.platform
	Arguments     map[string]string  `json:"arguments"`                  // all talos.* arguments; values that are secret or long are "…"
	Unknown       []cmdline.Unknown  `json:"unknownArguments,omitempty"` // those that no machine knows
	CommandLine   string             `json:"commandLine,omitempty"`      // the other arguments
	Firmware      Firmware           `json:"firmware"`
	Entry         *Entry             `json:"entry,omitempty"`   // of the boot menu of its disk, that was started
	Upgrade       *Upgrade           `json:"upgrade,omitempty"` // that META asks for
	Machine       Machine            `json:"machine"`
	CPUs          int                `json:"cpus"`
	Memory        Memory             `json:"memory"`
	Init          Init               `json:"init,omitzero"`
	Clock         Clock              `json:"clock"`
	Root          Root               `json:"root"`
	Hostname      string             `json:"hostname,omitempty"` // without the domain
	Network       Network            `json:"network"`
	Config        Config             `json:"config"`
	Modules       Modules            `json:"modules"`
	Disks         []Disk             `json:"disks"`
	Discovered    []DiscoveredVolume `json:"discoveredVolumes,omitempty"`
	Encryption    []EncryptedVolume  `json:"encryption,omitempty"`
	VolumeConfigs []VolumeConfig     `json:"volumeConfigs,omitempty"` // how they are to be
	Volumes       []Volume           `json:"volumes,omitempty"`       // that the machine is to have
	Mounts        []Mount            `json:"mounts,omitempty"`
	Extensions    []Extension        `json:"extensions,omitempty"` // system extensions of the image
	Services      []Service          `json:"services,omitempty"`   // that the machine is to run
	Logs          Logs               `json:"logs,omitzero"`
	MachineID     string             `json:"machineID,omitempty"` // /etc/machine-id
	Settings      Settings           `json:"settings,omitzero"`
	Files         []Asked            `json:"files,omitempty"` // of machine.files, in their order
	Trust         Trust              `json:"trust,omitzero"`
	Watchdog      *Watchdog          `json:"watchdog,omitempty"`
	Install       *Install           `json:"install,omitempty"` // of a machine without a system on its disks that is to have one
	Phases        []Phase            `json:"phases"`            // in order; the first is the kernel's, before init
	ReadyMS       int64              `json:"readyMs,omitempty"`
	Errors        []Error            `json:"errors,omitempty"` // none in a good boot
}

// Firmware is what started the kernel.
type Firmware struct {
	Type       string `json:"type"`                 // uefi, bios or devicetree
	SecureBoot *bool  `json:"secureBoot,omitempty"` // whether it is enforced; UEFI only
	SetupMode  *bool  `json:"setupMode,omitempty"`  // whether keys can be enrolled; UEFI only
}

// Machine is what the firmware calls the hardware.
type Machine struct {
	Vendor  string `json:"vendor,omitempty"`
	Product string `json:"product,omitempty"`
	UUID    string `json:"uuid,omitempty"`
	Serial  string `json:"serial,omitempty"`
}

// Memory is in bytes.
type Memory struct {
	Total     int64 `json:"total"`
	Available int64 `json:"available"`
}

// Root is the root file system.
type Root struct {
	Image  string   `json:"image"`            // path in the initramfs
	Size   int64    `json:"size"`             // of the image in bytes
	Layers []string `json:"layers,omitempty"` // images that it is made of, the base first
}

// Where a machine configuration was found.
const (
	SourceState     = "state"        // kept by the machine, in STATE
	SourceBaked     = "baked"        // in the asset, beside what is measured
	SourceInitramfs = "initramfs"    // built into the initramfs
	SourceURL       = "talos.config" // at the URL of the kernel argument of that name
	SourceISO       = "metal-iso"    // on a file system of that label
	SourceNoCloud   = "nocloud"      // user-data of a NoCloud seed
	SourceNone      = "none"
)

// Config is the machine configuration that the machine found, and what came of it.
type Config struct {
	Source    string     `json:"source"`              // one of the above
	Origin    string     `json:"origin,omitempty"`    // the URL, without what may be secret, or the device
	Waiting   string     `json:"waiting,omitempty"`   // why it is not there yet; the machine goes on asking
	Match     string     `json:"match,omitempty"`     // by which it was picked: default, a UUID, serial number or MAC address
	Documents []Document `json:"documents,omitempty"` // none where there are faults
	Findings  []Finding  `json:"findings,omitempty"`
	Pending   []string   `json:"pending,omitempty"` // fields, as .machine.token, that have changed and that a reboot is needed for
	Refused   string     `json:"refused,omitempty"` // why the machine kept this configuration when it was last told to read it again
}

// Document is a document of the configuration. The main one is of kind v1alpha1.
type Document struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
}

// Finding is something wrong or doubtful in the configuration. Line and column count from 1; 0 is no place.
type Finding struct {
	Severity string `json:"severity"` // fault or warning
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Path     string `json:"path,omitempty"` // of the field
	Message  string `json:"message"`
}

// String is "line:column: path: message".
func (f Finding) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	return b.String() + f.Message
}

// Modules are the kernel modules that were loaded for the root and for devices.
type Modules struct {
	Loaded   []Module `json:"loaded"`             // in the order in which loading ended
	NoDevice []string `json:"noDevice,omitempty"` // refused because this machine lacks what they drive, which is normal
	Failed   []Failed `json:"failed,omitempty"`
	Kernel   []string `json:"kernel,omitempty"` // what /proc/modules has, whoever loaded it; the last loaded first
	TookMS   int64    `json:"tookMs"`           // time during which something was being loaded
}

// Module is a module and what the kernel took to start it.
type Module struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// Failed is a module that did not load.
type Failed struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Phase is a step of the boot.
type Phase struct {
	Name       string `json:"name"`
	StartMS    int64  `json:"startMs"`
	DurationMS int64  `json:"durationMs"`
}

// Error is what went wrong in a step, with its causes, and whether the boot ended there.
type Error struct {
	Step  string `json:"step"`
	Error string `json:"error"`
	Fatal bool   `json:"fatal,omitempty"`
}

// Line is the console line, with its line feed.
func (r *Report) Line() []byte {
	p, err := json.Marshal(r)
	if err != nil {
		panic("bootreport: " + err.Error()) // no field can fail
	}
	return append(append([]byte(Prefix), p...), '\n')
}

// Parse reads a report: what Path holds, or what a console showed. Errors are those of Find.
func Parse(text []byte) (*Report, error) {
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) {
		r := &Report{}
		if err := json.Unmarshal(trimmed, r); err != nil {
			return nil, report.Errorf(report.Invalid, "boot report: %w", err)
		}
		return r, nil
	}
	return Find(text)
}

// Find is the last whole report in what a console showed; other text may come before it on its line. An error of kind
// NotFound says that there is none.
func Find(console []byte) (*Report, error) {
	for {
		i := bytes.LastIndex(console, []byte(Prefix))
		if i < 0 {
			return nil, report.Errorf(report.NotFound, "no boot report on the console")
		}
		line, _, ended := bytes.Cut(console[i+len(Prefix):], []byte("\n"))
		if ended {
			r := &Report{}
			if err := json.Unmarshal(line, r); err != nil {
				return nil, report.Errorf(report.Invalid, "boot report on the console: %w", err)
			}
			return r, nil
		}
		console = console[:i]
	}
}
