package fetch_test

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
)

// BenchmarkOpenWarm is what a build pays for a base that nobody touched: a new Store, and each part by its stamp.
func BenchmarkOpenWarm(b *testing.B) {
	l := newLayout(b)
	var parts []string
	for _, title := range strings.Fields("vmlinuz rootfs.sqsh early.cpio systemd-boot.efi systemd-stub.efi grub-boot.img grub-core.img grub-eltorito.img") {
		parts = append(parts, title+"="+strings.Repeat(title, 1<<16))
	}
	l.add(l.image("amd64", parts...), "v1")
	cache := b.TempDir()
	settle()
	ref := parse(b, "oci:"+l.dir+":v1")
	for b.Loop() {
		s, err := store.Open(cache, store.Options{})
		must(b, err)
		c := fetch.New(s, fetch.Options{})
		locked, err := c.Resolve(b.Context(), ref, "amd64")
		must(b, err)
		_, err = c.Open(b.Context(), locked)
		must(b, err)
		must(b, s.Close())
	}
}
