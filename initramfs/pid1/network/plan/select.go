package plan

import (
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Hardware is a link and what is known of the device behind it.
type Hardware struct {
	kernel.Link
	BusPath string // 0000:00:03.0
	PCIID   string // 1AF4:1000, vendor and device
	Driver  string
}

// Physical tells whether a link is hardware.
func (h Hardware) Physical() bool { return h.Kind == "" && h.Ethernet }

// Selects tells whether a selector is for a link: all that it says must be so. Texts are shell patterns, and letters of
// either case are equal.
func Selects(s v1alpha1.DeviceSelector, h Hardware) bool {
	if h.Name == "lo" || s == (v1alpha1.DeviceSelector{}) || s.Physical != nil && *s.Physical != h.Physical() {
		return false
	}
	permanent := h.PermanentMAC
	if permanent == "" && h.Physical() {
		permanent = h.MAC
	}
	return like(s.BusPath, h.BusPath) && like(s.HardwareAddr, h.MAC) && like(s.PermanentAddr, permanent) &&
		like(s.PCIID, h.PCIID) && like(s.Driver, h.Driver)
}

func like(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(text))
	return matched && err == nil
}

// selected are the links that a selector is for, in their order.
func (p *planner) selected(s v1alpha1.DeviceSelector) []string {
	var names []string
	for _, h := range p.in.Links {
		if Selects(s, h) {
			names = append(names, h.Name)
		}
	}
	return names
}
