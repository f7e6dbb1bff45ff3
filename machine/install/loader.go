package install

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
)

// maxLoader bounds a systemd-boot, in bytes.
const maxLoader = 1 << 20

// upgradeLoader replaces systemd-boot where the partition has an older one. What is not systemd-boot, by what it says of itself, is left.
func (s System) upgradeLoader(ctx context.Context, a *bootassets.Assets) error {
	brought, err := blob.ReadAll(a.File(bootassets.SDBoot), maxLoader)
	if err != nil {
		return fmt.Errorf("%s: %w", bootassets.SDBoot, err)
	}
	for _, name := range bootentry.Loaders(a.Arch) {
		have, err := s.EFI.Read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if bytes.Equal(have, brought) || !newer(loaderVersion(brought), loaderVersion(have)) {
			continue
		}
		if err := place(ctx, s.EFI, name, blob.Bytes(brought)); err != nil {
			return err
		}
	}
	return nil
}

// loaderVersion is what a systemd-boot says in its section .sdmagic, as bootctl(1) reads it, such as 252.39-1~deb12u1; empty where it says nothing.
func loaderVersion(program []byte) string {
	found := regexp.MustCompile(`#### LoaderInfo: systemd-boot ([^# ]{1,100}) ####`).FindSubmatch(program)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// newer reports whether version a is behind b: number by number, and letter by letter between them (as strverscmp(3), without its zeros).
// Nothing is newer than what has no version.
func newer(a, b string) bool {
	parts := regexp.MustCompile(`[0-9]+|[^0-9]+`)
	as, bs := parts.FindAllString(a, -1), parts.FindAllString(b, -1)
	if len(bs) == 0 {
		return false
	}
	for i := range min(len(as), len(bs)) {
		n, errN := strconv.ParseUint(as[i], 10, 64)
		m, errM := strconv.ParseUint(bs[i], 10, 64)
		c := cmp.Compare(n, m)
		if errN != nil || errM != nil {
			c = cmp.Compare(as[i], bs[i])
		}
		if c != 0 {
			return c > 0
		}
	}
	return len(as) > len(bs)
}
