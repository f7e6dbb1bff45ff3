package pid1

import (
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/console"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/supervise"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/layout"
	plan "github.com/bootwright/bootwright/machine/volumes"
)

// xfs is the superblock of a file system of size bytes.
func xfs(size int64) string {
	p := make([]byte, 512)
	copy(p, "XFSB")
	binary.BigEndian.PutUint32(p[4:], 4096)
	binary.BigEndian.PutUint64(p[8:], uint64(size/4096))
	binary.BigEndian.PutUint16(p[100:], 4)
	binary.BigEndian.PutUint16(p[102:], 512)
	return string(p)
}

// installed gives a machine a system disk whose volumes have been made; kept is what STATE holds.
func installed(t *testing.T, m *fake.Machine, kept string) {
	t.Helper()
	part := func(name string, size int64, content string) gpt.Partition {
		return gpt.Partition{Name: name, Type: gpt.LinuxFilesystem(), Size: size, Content: blob.String(content)}
	}
	const size = 4 << 30
	im, err := gpt.Format([]gpt.Partition{
		part(layout.Meta, layout.MetaSize, ""), part(layout.State, layout.StateSize, xfs(layout.StateSize)),
		part(layout.Ephemeral, 3<<30, xfs(3<<30)),
	}, gpt.Options{Size: size})
	must(t, err)
	d := &fake.Disk{Name: "vdb", Bytes: size}
	for _, e := range im.Extents() {
		p := make([]byte, e.Blob.Size())
		must(t, blob.ReadFull(e.Blob, p, 0))
		_, err := d.WriteAt(p, e.Offset)
		must(t, err)
	}
	m.AddDisk(d)
	m.Contents["xfs"] = map[string]string{}
	if kept != "" {
		m.Contents["xfs"]["config.yaml"] = kept
	}
}

// TestState: the configuration that STATE has counts before the one that came with the image; one that came is kept there;
// and one that is not good leaves the machine with the other.
func TestState(t *testing.T) {
	for name, c := range map[string]struct {
		kept, baked          string
		source, host, fileIs string
	}{
		"kept":     {configareatest.Worker("kept"), configareatest.Worker("baked"), bootreport.SourceState, "kept", "hostname: kept"},
		"to keep":  {"", configareatest.Worker("baked"), bootreport.SourceBaked, "baked", "hostname: baked"},
		"not good": {"machine: [", configareatest.Worker("baked"), bootreport.SourceBaked, "baked", "hostname: baked"},
	} {
		t.Run(name, func(t *testing.T) {
			m := bubble(t, good, func(t *testing.T, m *fake.Machine) {
				installed(t, m, c.kept)
				must(t, m.MkdirAll("/"+configarea.Path[:strings.LastIndex(configarea.Path, "/")], 0o755))
				must(t, m.WriteFile("/"+configarea.Path, []byte(area(t, map[string]string{"default": c.baked})), 0o400))
			}, func(t *testing.T, m *fake.Machine) {
				text, err := m.ReadFile("/system/state/config.yaml")
				if err != nil || !strings.Contains(string(text), c.fileIs) {
					t.Errorf("STATE has %.100q, %v; want %s", text, err, c.fileIs)
				}
			})
			r := reportOf(t, m)
			if r.Config.Source != c.source || r.Hostname != c.host || r.ReadyMS == 0 {
				t.Errorf("source %s, host name %s, errors %+v; want %s, %s", r.Config.Source, r.Hostname, r.Errors, c.source, c.host)
			}
			if name == "not good" && len(r.Errors) == 0 {
				t.Error("nobody says that the configuration in STATE is not good")
			}
		})
	}
}

// TestAwaitVolume: a boot waits while something is done for a volume, and says it where it goes on without.
func TestAwaitVolume(t *testing.T) {
	for name, c := range map[string]struct {
		steps int // keys derived one after another, each in 80 s, until the volume is there
		fault error
		comes bool
		want  string
	}{
		"at once":      {0, nil, true, ""},
		"slowly":       {9, nil, true, ""},
		"never":        {0, nil, false, "volume EPHEMERAL is provisioned, and for 1m0s nothing was done for it; the boot goes on without"},
		"not, at last": {3, nil, false, "volume EPHEMERAL is provisioned, and for 1m0s nothing was done for it"},
		"fails":        {9, syscall.EIO, true, "volume EPHEMERAL is provisioned"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &boot{m: fake.New(t, nil), group: supervise.New(nil, nil), log: &console.Log{}}
				opener := b.newOpener() // which is there before the volumes
				b.volumes = volumes.New(volumes.Deps{})
				s := volumes.Status{Trying: true, Volumes: []plan.Volume{{Spec: plan.Spec{ID: layout.Ephemeral}, Phase: plan.Provisioned}}}
				b.volumes.Status().Set(s)
				go func() {
					for range c.steps {
						opener.Slow(func() error { time.Sleep(80 * time.Second); return c.fault })
					}
					if s, _ := b.volumes.Status().Get(); c.comes {
						s.Mounts = map[string]string{layout.Ephemeral: "/var"}
						b.volumes.Status().Set(s)
					}
				}()
				err := b.awaitVolume(layout.Ephemeral, varWait, true)
				if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		})
	}
}
