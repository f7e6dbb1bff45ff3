package documents

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/documents/download"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/medium"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// Finder looks for a configuration outside of what was booted.
type Finder struct {
	Files    kernel.Files
	Download download.Client
	Argument string // talos.config; "" is none
	Platform string // talos.platform
	Serial   string // of SMBIOS, where NoCloud may have a URL
}

// Given is what was found. Without a Text there is no configuration, and nothing to wait for.
type Given struct {
	Source   string // as the boot report has it
	Origin   string // the URL as it may be shown, or a device
	Text     []byte
	Hostname string // of NoCloud's meta-data
}

// The labels of file systems that carry configurations.
const (
	labelISO     = "metal-iso"
	labelNoCloud = "cidata"
)

// Names of files on them.
const (
	fileISO      = "config.yaml"
	fileUser     = "user-data"
	fileMetadata = "meta-data"
)

// Online tells whether the configuration comes over the network.
func (f Finder) Online() bool { return f.overHTTP() || f.seed() != "" }

func (f Finder) overHTTP() bool {
	scheme, _, _ := strings.Cut(f.Argument, "://")
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
}

// Find looks once. Errors of kind Unsupported will not go away; after others it may be there the next time, and Given says
// where it is looked for.
func (f Finder) Find(ctx context.Context, v download.Variables) (Given, error) {
	switch {
	case f.Argument == "none":
		return Given{}, nil
	case f.Argument == labelISO:
		return f.volume(bootreport.SourceISO, labelISO, fileISO)
	case f.overHTTP():
		return f.url(ctx, v)
	case f.Argument != "":
		return Given{Source: bootreport.SourceURL, Origin: cmdline.HideURL(f.Argument)}, report.Errorf(report.Unsupported,
			"the kernel argument talos.config must be an http:// or https:// URL, metal-iso or none")
	case f.seed() != "":
		return f.seedURL(ctx)
	}
	g, err := f.volume(bootreport.SourceNoCloud, labelNoCloud, fileUser)
	if errors.Is(err, fs.ErrNotExist) && f.Platform != "nocloud" {
		return Given{}, nil // nobody said that there should be one
	}
	return g, err
}

func (f Finder) url(ctx context.Context, v download.Variables) (g Given, err error) {
	g = Given{Source: bootreport.SourceURL, Origin: cmdline.HideURL(f.Argument)}
	address, err := download.Expand(f.Argument, v)
	if err != nil && !errors.Is(err, download.ErrUnknown) {
		return g, report.Errorf(report.Unsupported, "%s: %w", g.Origin, err)
	}
	if err == nil {
		g.Origin = cmdline.HideURL(address)
		g.Text, err = f.Download.Get(ctx, address)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", g.Origin, err)
	}
	return g, err
}

// volume reads a file of a labelled file system.
func (f Finder) volume(source, label, name string) (Given, error) {
	g := Given{Source: source}
	v, err := medium.Open(f.Files, label)
	if err != nil {
		return g, err
	}
	defer v.Close()
	g.Origin = v.Device + ": " + name
	if g.Text, err = v.Read(name); err == nil {
		g.Text, err = download.Check(g.Text)
	}
	if err != nil {
		return g, fmt.Errorf("%s: %w", g.Origin, err)
	}
	if source == bootreport.SourceNoCloud {
		meta, _ := v.Read(fileMetadata)
		g.Hostname = hostname(meta)
	}
	return g, nil
}

// seed is the URL that NoCloud's serial number of SMBIOS has: ds=nocloud-net;s=http://host/path/.
func (f Finder) seed() string {
	kind, rest, _ := strings.Cut(f.Serial, ";")
	if f.Argument != "" || f.Platform != "nocloud" || kind != "ds=nocloud" && kind != "ds=nocloud-net" {
		return ""
	}
	for setting := range strings.SplitSeq(rest, ";") {
		if address, ok := strings.CutPrefix(setting, "s="); ok && strings.HasPrefix(address, "http") {
			return strings.TrimSuffix(address, "/") + "/"
		}
	}
	return ""
}

func (f Finder) seedURL(ctx context.Context) (g Given, err error) {
	address := f.seed()
	g = Given{Source: bootreport.SourceNoCloud, Origin: cmdline.HideURL(address + fileUser)}
	if g.Text, err = f.Download.Get(ctx, address+fileUser); err != nil {
		return g, fmt.Errorf("%s: %w", g.Origin, err)
	}
	meta, _ := f.Download.Get(ctx, address+fileMetadata)
	g.Hostname = hostname(meta)
	return g, nil
}

// hostname is local-hostname, or else hostname, of NoCloud's meta-data, which may have anything else in it.
func hostname(meta []byte) string {
	data := map[string]any{}
	if yamldoc.Decode(path.Base(fileMetadata), meta, &data) != nil {
		return ""
	}
	for _, key := range []string{"local-hostname", "hostname"} {
		if name, ok := data[key].(string); ok && name != "" && !strings.ContainsAny(name, " \t\n/") {
			return name
		}
	}
	return ""
}
