package compose

import (
	"debug/elf"
	"slices"
	"testing"

	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/ldcache"
)

func library(soname string) string { return string(exttest.Library(elf.EM_X86_64, soname)) }

// cached is name => path of each entry of the cache in c, in its order.
func cached(t *testing.T, c *Composition, flags ldcache.Flags) []string {
	t.Helper()
	entries, err := ldcache.Read(blob.String(text(t, c.Shared, cacheFile)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Flags != flags {
			t.Errorf("%s has flags %#x", e.Name, e.Flags)
		}
		out = append(out, e.Name+" => "+e.Path)
	}
	return out
}

// TestLinkerCache: what the linker finds of two extensions and the base.
func TestLinkerCache(t *testing.T) {
	t.Parallel()
	to := target(t)
	to.Root.File("usr/lib64/libc.so.6", 0o755, blob.String(library("libc.so.6")))
	to.Root.File("etc/ld.so.conf", 0o644, blob.String("/opt/base\n"))
	to.Root.File("opt/base/libbase.so.3", 0o644, blob.String(library("libbase.so.3")))
	a := source("a", map[string]string{
		"usr/local/lib/libodd.so.7.1":                  library("libodd.so.7"),
		"usr/local/lib/libodd.so.7.10":                 library("libodd.so.7"),
		"usr/local/lib/libscript.so":                   "INPUT(libodd.so.7)",
		"usr/local/glibc/usr/lib/libc.so.6":            library("libc.so.6"),
		"usr/local/glibc/usr/lib/libmy.so.1":           library("libmy.so.1"),
		"usr/local/lib/containers/c/lib/libhid.so":     library("libhid.so"),
		"usr/local/share/plugins/libplugin.so":         library(""),
		"usr/local/lib/libarm.so.1":                    string(exttest.Library(elf.EM_AARCH64, "libarm.so.1")),
		"usr/lib/modules/" + exttest.Release + "/a.ko": module(),
	})
	a.Tree.Symlink("rootfs/usr/local/lib/libodd.so", "libodd.so.7.1")
	b := source("b", map[string]string{
		"etc/ld.so.conf":        "/usr/local/odd\n",
		"usr/local/odd/libb.so": library(""),
		"etc/ld.so.cache":       "of its own",
	})
	c := compose(t, to, a, b)
	if got, want := cached(t, c, ldcache.AMD64), []string{
		"libodd.so.7 => /usr/local/lib/libodd.so.7.10",
		"libodd.so => /usr/local/lib/libodd.so",
		"libmy.so.1 => /usr/local/glibc/usr/lib/libmy.so.1",
		"libc.so.6 => /lib64/libc.so.6",
		"libc.so.6 => /usr/local/glibc/usr/lib/libc.so.6",
		"libbase.so.3 => /opt/base/libbase.so.3",
		"libb.so => /usr/local/odd/libb.so",
	}; !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if c.Shared.Get(modules+"modules.dep") == nil {
		t.Error("the index of modules is not there too")
	}

	to.Arch = "arm64"
	if got, want := cached(t, compose(t, to, a), ldcache.ARM64), []string{"libarm.so.1 => /usr/local/lib/libarm.so.1"}; !slices.Equal(got, want) {
		t.Errorf("on arm64 %q", got)
	}
}

// TestNoLinkerCache: extensions without libraries leave the base's cache, or the one that they bring.
func TestNoLinkerCache(t *testing.T) {
	t.Parallel()
	e := source("a", map[string]string{"usr/local/bin/x": "x", "etc/ld.so.cache": "its own", "usr/local/share/libplugin.so": library("")})
	if c := compose(t, target(t), e); c.Shared != nil {
		t.Errorf("on top there is %s", paths(c.Shared))
	}
}
