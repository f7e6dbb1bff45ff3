// Package profiles says what a boot asset should be: the schema of profiles, strict loading, inheritance from built-in
// profiles, and the kernel command line that follows. docs/profiles.md is the manual, builtin/*.yaml are the examples.
//
// Field names are those of Talos imager profiles where the concept is the same. Left out until they do something: secure
// boot, installers, overlays.
package profiles

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Profile is what was asked for. Zero fields are not given.
type Profile struct {
	BaseProfileName string        `json:"baseProfileName,omitempty" yaml:"baseProfileName,omitempty"` // see Finder; empty once resolved
	Arch            string        `json:"arch,omitempty" yaml:"arch,omitempty"`                       // one of Arches
	Platform        string        `json:"platform,omitempty" yaml:"platform,omitempty"`               // one of Platforms
	Version         string        `json:"version,omitempty" yaml:"version,omitempty"`                 // what the asset is called; the base's if empty
	Base            string        `json:"base,omitempty" yaml:"base,omitempty"`                       // reference of the base image
	Epoch           *Epoch        `json:"epoch,omitempty" yaml:"epoch,omitempty"`                     // the time of everything in the asset; the base's if nil
	Customization   Customization `json:"customization,omitzero" yaml:"customization,omitempty"`
	Input           Input         `json:"input,omitzero" yaml:"input,omitempty"`
	Output          Output        `json:"output,omitzero" yaml:"output,omitempty"`

	origins []string // of what it was laid over

	docs []*yamldoc.Doc // where the fields were read from, the last one wins; for findings
}

// Customization changes what the base brings.
type Customization struct {
	ExtraKernelArgs []string `json:"extraKernelArgs,omitempty" yaml:"extraKernelArgs,omitempty"` // see Profile.Cmdline
	MetaContents    []Meta   `json:"metaContents,omitempty" yaml:"metaContents,omitempty"`

	MachineConfig MachineConfig `json:"machineConfig,omitzero" yaml:"machineConfig,omitempty"`
}

// MachineConfig is the configurations that machines find in the asset; docs/baking.md is the manual. The text of one comes
// from Path or Inline.
type MachineConfig struct {
	Path    string   `json:"path,omitempty" yaml:"path,omitempty"`
	Inline  string   `json:"inline,omitempty" yaml:"inline,omitempty"`
	Dir     string   `json:"dir,omitempty" yaml:"dir,omitempty"`         // of MATCH.yaml, for one machine each
	Patches []string `json:"patches,omitempty" yaml:"patches,omitempty"` // of every configuration: a patch, or @ and a file
	Embed   string   `json:"embed,omitempty" yaml:"embed,omitempty"`     // EmbedInitramfs, or beside what is measured
	Room    int64    `json:"room,omitempty" yaml:"room,omitempty"`       // bytes to reserve, for configurations that come later
}

// EmbedInitramfs puts configurations into the initramfs, and so into what is measured and signed.
const EmbedInitramfs = "initramfs"

// Given reports whether there is a configuration.
func (c *MachineConfig) Given() bool { return c.Path != "" || c.Inline != "" || c.Dir != "" }

// Meta is an entry of the META partition, which a machine finds on its first boot.
type Meta struct {
	Key   uint8  `json:"key" yaml:"key"` // 1 to 255
	Value string `json:"value" yaml:"value"`
}

// Input names files that replace parts of the base, what is laid over it, and where images come from.
type Input struct {
	Kernel File `json:"kernel,omitzero" yaml:"kernel,omitempty"`
	SDStub File `json:"sdStub,omitzero" yaml:"sdStub,omitempty"` // systemd-stub
	SDBoot File `json:"sdBoot,omitzero" yaml:"sdBoot,omitempty"` // systemd-boot

	SystemExtensions []Image        `json:"systemExtensions,omitempty" yaml:"systemExtensions,omitempty"` // the lowest first: later ones win
	ExtensionRules   ExtensionRules `json:"extensionRules,omitzero" yaml:"extensionRules,omitempty"`

	RegistryConfig string   `json:"registryConfig,omitempty" yaml:"registryConfig,omitempty"` // file with machine.registries
	VerifyKeys     []string `json:"verifyKeys,omitempty" yaml:"verifyKeys,omitempty"`         // files, one of whose keys has to have signed every image
}

// Image names the image of a system extension, in one of three ways.
type Image struct {
	ImageRef    string `json:"imageRef,omitempty" yaml:"imageRef,omitempty"`       // any reference
	TarballPath string `json:"tarballPath,omitempty" yaml:"tarballPath,omitempty"` // an image in a tar archive
	OCIPath     string `json:"ociPath,omitempty" yaml:"ociPath,omitempty"`         // an OCI image layout in a folder
}

// Reference is the image as builder/reference reads it.
func (i Image) Reference() string {
	switch {
	case i.TarballPath != "":
		return "tar:" + i.TarballPath
	case i.OCIPath != "":
		return "oci:" + i.OCIPath
	}
	return i.ImageRef
}

// ExtensionRules are what system extensions are held to besides the rules that hold for all.
type ExtensionRules struct {
	TalosVersion  string   `json:"talosVersion,omitempty" yaml:"talosVersion,omitempty"`   // of the system, for their compatibility.talos; not compared if empty
	SignedModules bool     `json:"signedModules,omitempty" yaml:"signedModules,omitempty"` // the kernel takes signed modules only
	MayReplace    []string `json:"mayReplace,omitempty" yaml:"mayReplace,omitempty"`       // files of one that a later one may replace: absolute paths, patterns as path.Match has them
	MaxBytes      int64    `json:"maxBytes,omitempty" yaml:"maxBytes,omitempty"`           // most that the layers of one may unpack to; zero is 4 GiB
	MaxFiles      int      `json:"maxFiles,omitempty" yaml:"maxFiles,omitempty"`           // most files and folders of one; zero is 200,000
}

// File is a file of the machine that builds; a relative path starts at the folder in which bootwright runs.
type File struct {
	Path string `json:"path,omitempty" yaml:"path,omitempty"`
}

// Output is what to make.
type Output struct {
	Kind         string       `json:"kind,omitempty" yaml:"kind,omitempty"`           // one of Kinds
	OutFormat    string       `json:"outFormat,omitempty" yaml:"outFormat,omitempty"` // one of OutFormats
	ImageOptions ImageOptions `json:"imageOptions,omitzero" yaml:"imageOptions,omitempty"`
	ISOOptions   ISOOptions   `json:"isoOptions,omitzero" yaml:"isoOptions,omitempty"`
	PXEOptions   PXEOptions   `json:"pxeOptions,omitzero" yaml:"pxeOptions,omitempty"`
}

// ImageOptions are for kind image.
type ImageOptions struct {
	DiskSize          int64  `json:"diskSize,omitempty" yaml:"diskSize,omitempty"`                   // bytes; what the content needs if 0
	DiskFormat        string `json:"diskFormat,omitempty" yaml:"diskFormat,omitempty"`               // one of DiskFormats
	DiskFormatOptions string `json:"diskFormatOptions,omitempty" yaml:"diskFormatOptions,omitempty"` // NAME=VALUE,… as qemu-img -o has them
	DiskSectorSize    int    `json:"diskSectorSize,omitempty" yaml:"diskSectorSize,omitempty"`       // bytes: 512 or 4096
	Bootloader        string `json:"bootloader,omitempty" yaml:"bootloader,omitempty"`               // sd-boot (UEFI), grub (BIOS) or dual-boot
}

// ISOOptions are for kind iso.
type ISOOptions struct {
	Label string `json:"label,omitempty" yaml:"label,omitempty"` // volume name: up to 32 of A-Z, 0-9 and _
}

// PXEOptions are for kind pxe.
type PXEOptions struct {
	BaseURL string `json:"baseURL,omitempty" yaml:"baseURL,omitempty"` // of kernel and initramfs; empty means beside the script
}

// Epoch is a time in whole seconds. In a document it is a number of seconds since 1970 or a time in RFC 3339.
type Epoch struct{ time.Time }

// The times that every format can hold: FAT begins with 1980, cpio ends with 32 bits.
const (
	epochMin = 315532800
	epochMax = 1<<32 - 1
)

// UnmarshalText reads both forms.
func (e *Epoch) UnmarshalText(p []byte) error {
	seconds, err := strconv.ParseInt(string(p), 10, 64)
	if err != nil {
		t, err := time.Parse(time.RFC3339, string(p))
		if err != nil {
			return report.WithHint(fmt.Errorf("%.100q is no time", p), "write seconds since 1970 or a time such as 2026-01-31T00:00:00Z")
		}
		seconds = t.Unix()
	}
	if seconds < epochMin || seconds > epochMax {
		return report.WithHint(fmt.Errorf("%.100s is not from 1980-01-01 to 2106-02-07", p), "file systems in images cannot hold other times")
	}
	e.Time = time.Unix(seconds, 0).UTC()
	return nil
}

// MarshalText is the time in RFC 3339.
func (e Epoch) MarshalText() ([]byte, error) { return e.AppendFormat(nil, time.RFC3339), nil }

// maxBytes is far above any profile.
const maxBytes = 1 << 20

// Load reads a profile and checks every value in it; name is what messages call it. The error is an Invalid one that
// holds report.Findings. What a profile lacks is no error here: Resolve looks for that.
func Load(name string, data []byte) (*Profile, error) {
	doc, err := yamldoc.Parse(name, data, yamldoc.Options{MaxBytes: maxBytes})
	if err != nil {
		return nil, err
	}
	return fromDoc(doc)
}

func fromDoc(doc *yamldoc.Doc) (*Profile, error) {
	p := &Profile{docs: []*yamldoc.Doc{doc}}
	findings, _ := errors.AsType[report.Findings](doc.Decode(p))
	for _, f := range place(p.docs, doc, p.valueFaults()) {
		if !slices.ContainsFunc(findings, func(said report.Finding) bool { return said.Path == f.Path }) {
			findings = append(findings, f)
		}
	}
	findings.Sort()
	return p, findings.Err()
}

// Set lays value over the field at path, such as output.kind; a list gets it appended. origin is what messages call it,
// such as "--set output.kind". Errors are as those of Load.
func (p *Profile) Set(origin, path, value string) error {
	doc, err := yamldoc.Value(origin, path, value)
	if err != nil {
		return err
	}
	over, err := fromDoc(doc)
	if err != nil {
		return err
	}
	p.overlay(over)
	return nil
}

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of profiles, for editors. It accepts what Load accepts, but for empty text,
// which Load takes for not given.
func Schema() []byte { return schema }
