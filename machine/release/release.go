// Package release is what an image tells its init about itself: a file of one KEY=value a line.
package release

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Path of the file in an initramfs, from its root.
const Path = "etc/bootwright-release"

// Release is what the file says. Of a value the line breaks become spaces.
type Release struct {
	Version string    // VERSION, of the image
	Epoch   time.Time // EPOCH, in seconds since 1970: the image's build time; no clock on the node is right before it
	Base    string    // BASE, name and version of the base
}

// Bytes is the file.
func (r Release) Bytes() []byte {
	var b strings.Builder
	line := func(key, value string) {
		fmt.Fprintf(&b, "%s=%s\n", key, strings.NewReplacer("\n", " ", "\r", " ").Replace(value))
	}
	line("VERSION", r.Version)
	line("EPOCH", fmt.Sprint(r.Epoch.Unix()))
	line("BASE", r.Base)
	return []byte(b.String())
}

// Parse reads the file; lines that it does not know are left out. With a wrong EPOCH it returns the rest too.
func Parse(text []byte) (r Release, err error) {
	r.Epoch = time.Unix(0, 0)
	for line := range strings.Lines(string(text)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "VERSION":
			r.Version = value
		case "EPOCH":
			var seconds int64
			if seconds, err = strconv.ParseInt(value, 10, 64); err == nil {
				r.Epoch = time.Unix(seconds, 0)
			}
		case "BASE":
			r.Base = value
		}
	}
	return r, err
}
