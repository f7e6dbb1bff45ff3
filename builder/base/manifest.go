package base

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// The media types of a base in an OCI image. A part is a plain file: its blob is used as it is, by reference.
const (
	ConfigMediaType = "application/vnd.bootwright.base.config.v1+json"
	PartMediaType   = "application/vnd.bootwright.base.part.v1"
)

// SchemaVersion is the version of Manifest that this package writes.
const SchemaVersion = 1

// The titles of a base's parts. Those of GRUB exist on amd64 only.
const (
	Kernel       = "vmlinuz"
	Root         = "rootfs.sqsh"          // squashfs image of the root file system
	Early        = "early.cpio"           // the modules that the init needs before it has the root, as a newc archive
	SystemdBoot  = "systemd-boot.efi"     // UEFI boot menu
	SystemdStub  = "systemd-stub.efi"     // what a unified kernel image begins with
	GRUBBoot     = "grub-boot.img"        // boot sector of a disk
	GRUBHybrid   = "grub-boot-hybrid.img" // boot sector of an ISO that was written to a disk
	GRUBCore     = "grub-core.img"        // for a BIOS boot partition
	GRUBElTorito = "grub-eltorito.img"    // for a CD
)

// Manifest says what a base is: the configuration blob of its OCI image. It depends on nothing but packages and the
// tables of this package, so the same packages give the same manifest.
type Manifest struct {
	SchemaVersion int       `json:"schemaVersion"`
	Name          string    `json:"name"`    // the distribution and the flavour, such as debian-cloud
	Version       string    `json:"version"` // the distribution's version and the day of Epoch, such as 12.12-20261116
	Arch          string    `json:"arch"`    // as Go names it: amd64 or arm64
	Flavour       string    `json:"flavour"`
	KernelVersion string    `json:"kernelVersion"` // what uname -r will print
	Epoch         int64     `json:"epoch"`         // seconds since 1970: the latest time of a file in any of Packages
	Parts         []Part    `json:"parts"`
	Packages      []Package `json:"packages"` // of which something is in the parts, by name
	Tools         []Tool    `json:"tools"`    // programs that made the parts
	Modules       int       `json:"modules"`  // number of kernel modules in the root file system
	LeftOut       []LeftOut `json:"leftOut"`  // modules of the kernel package that are not there
	Firmware      []string  `json:"firmware"` // files below usr/lib/firmware
}

// Part is one file of the base.
type Part struct {
	Title     string      `json:"title"`
	Size      int64       `json:"size"` // bytes
	Digest    blob.Digest `json:"digest"`
	MediaType string      `json:"mediaType"`
}

// Package is one Debian package.
type Package struct {
	Name          string   `json:"name"`
	Version       string   `json:"version"`
	Arch          string   `json:"arch"` // as Debian names it; "all" without machine code
	SHA256        string   `json:"sha256"`
	Size          int64    `json:"size"` // of the .deb in bytes
	Source        string   `json:"source"`
	SourceVersion string   `json:"sourceVersion"`
	Licenses      []string `json:"licenses,omitempty"`  // short names, SPDX where there is one; none where Copyright is for people only
	Copyright     string   `json:"copyright,omitempty"` // path of the copyright file in the root file system
}

// Tool is a package whose programs made the parts. Its architecture is that of the machine, and does not count.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// LeftOut is a class of kernel modules that are not in the base.
type LeftOut struct {
	Class   string `json:"class"`
	Reason  string `json:"reason"`
	Modules int    `json:"modules"` // how many
	Size    int64  `json:"size"`    // their bytes, uncompressed
}

// Part is the part called title.
func (m *Manifest) Part(title string) (Part, bool) {
	for _, p := range m.Parts {
		if p.Title == title {
			return p, true
		}
	}
	return Part{}, false
}

// maxManifest bounds a manifest, which lists packages, in bytes.
const maxManifest = 16 << 20

// ReadManifest reads the configuration blob of what may be no base.
func ReadManifest(config blob.Blob) (*Manifest, error) {
	text, err := blob.ReadAll(config, maxManifest)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "the base's manifest: %w", err)
	}
	return ParseManifest(text)
}

// ParseManifest reads the configuration blob of a base.
func ParseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, report.Errorf(report.Invalid, "the base's manifest: %w", err)
	}
	if m.SchemaVersion != SchemaVersion {
		return nil, report.WithHint(report.Errorf(report.Unsupported, "the base's manifest has schema version %d, this bootwright reads %d", m.SchemaVersion, SchemaVersion),
			"make the base again with `bootwright base build`")
	}
	for _, p := range m.Parts {
		if _, err := blob.ParseDigest(string(p.Digest)); err != nil || p.Title == "" || p.Size < 0 {
			return nil, report.Errorf(report.Invalid, "the base's manifest: part %q has no usable title, size or digest", p.Title)
		}
	}
	return &m, nil
}

// OSRelease is os-release(5) of the base.
func (m *Manifest) OSRelease() string {
	return fmt.Sprintf("NAME=bootwright\nID=bootwright\nID_LIKE=debian\nVERSION_ID=%s\nPRETTY_NAME=\"bootwright %s %s (%s)\"\n",
		m.Version, m.Name, m.Version, m.Arch)
}

// WriteText writes the manifest for people.
func (m *Manifest) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\nkernel %s, %d modules\nepoch %s\n", m.Name, m.Version, m.Arch, m.KernelVersion, m.Modules,
		time.Unix(m.Epoch, 0).UTC().Format(time.RFC3339))
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "\nPART\tSIZE\tDIGEST\n")
	for _, p := range m.Parts {
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Title, progress.FormatBytes(p.Size), p.Digest)
	}
	fmt.Fprintf(t, "\nPACKAGE\tVERSION\tSOURCE\tSHA-256\tLICENCES\n")
	for _, p := range m.Packages {
		licenses := strings.Join(p.Licenses, ", ")
		if licenses == "" {
			licenses = "see " + p.Copyright
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.12s\t%s\n", p.Name, p.Version, p.Source, p.SHA256, licenses)
	}
	fmt.Fprintf(t, "\nMADE WITH\tVERSION\n")
	for _, p := range m.Tools {
		fmt.Fprintf(t, "%s\t%s\n", p.Name, p.Version)
	}
	fmt.Fprintf(t, "\nMODULES LEFT OUT\tNUMBER\tSIZE\tREASON\n")
	for _, l := range m.LeftOut {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", l.Class, l.Modules, progress.FormatBytes(l.Size), l.Reason)
	}
	t.Flush()
	fmt.Fprintf(&b, "\nFIRMWARE\n")
	for _, f := range m.Firmware {
		fmt.Fprintf(&b, "%s\n", f)
	}
	if len(m.Firmware) == 0 {
		b.WriteString("none\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
