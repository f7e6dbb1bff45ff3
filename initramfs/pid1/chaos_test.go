package pid1

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// chaos is a machine with faults at random effects: errors, delays and writes that end in the middle. What happens to the
// n-th time of an effect follows from the seed alone, whatever the order in which goroutines come to run.
type chaos struct {
	*fake.Machine
	seed    uint64
	oneIn   uint64 // effects one fails or is late
	mu      sync.Mutex
	times   map[string]int
	faults  []fault
	repeats map[string]bool // effects that have succeeded since they last failed
}

// fault is one that was injected.
type fault struct{ effect, text string }

var errInjected = syscall.EIO

// injected is an error that tells which fault it is.
type injected struct{ text string }

func (e injected) Error() string { return e.text }
func (e injected) Unwrap() error { return errInjected }

// roll decides about an effect. Its second result is that a write ends in the middle.
func (c *chaos) roll(effect string) (err error, partial bool) {
	c.mu.Lock()
	c.times[effect]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d", c.seed, effect, c.times[effect])
	dice := h.Sum64() >> 8
	if dice%c.oneIn != 0 {
		c.repeats[effect] = true
		c.mu.Unlock()
		return nil, false
	}
	dice /= c.oneIn
	late := dice%4 == 0 // a quarter are delays
	if late && isLog(effect) {
		c.mu.Unlock()
		return nil, false
	}
	if late {
		c.mu.Unlock()
		time.Sleep(time.Duration(dice/4%10_000) * time.Millisecond)
		return nil, false
	}
	defer c.mu.Unlock()
	f := fault{effect, fmt.Sprintf("injected fault %d of seed %d", len(c.faults)+1, c.seed)}
	c.faults = append(c.faults, f)
	c.repeats[effect] = false
	return injected{f.text}, dice%4 == 1
}

func (c *chaos) fails(effect string, args ...any) error {
	err, _ := c.roll(strings.TrimSpace(effect + " " + fmt.Sprint(args...)))
	return err
}

// do does something unless it fails.
func do[T any](c *chaos, effect, what string, f func() (T, error)) (T, error) {
	if err := c.fails(effect, what); err != nil {
		var none T
		return none, &fs.PathError{Op: effect, Path: what, Err: err}
	}
	return f()
}

func (c *chaos) act(effect, what string, f func() error) error {
	_, err := do(c, effect, what, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (c *chaos) Open(name string) (*os.File, error) {
	return do(c, "open", name, func() (*os.File, error) { return c.Machine.Open(name) })
}

func (c *chaos) ReadFile(name string) ([]byte, error) {
	return do(c, "read", name, func() ([]byte, error) { return c.Machine.ReadFile(name) })
}

func (c *chaos) ReadDir(name string) ([]fs.DirEntry, error) {
	return do(c, "list", name, func() ([]fs.DirEntry, error) { return c.Machine.ReadDir(name) })
}

func (c *chaos) ReadLink(name string) (string, error) {
	return do(c, "readlink", name, func() (string, error) { return c.Machine.ReadLink(name) })
}

func (c *chaos) WriteFile(name string, data []byte, perm fs.FileMode) error {
	err, partial := c.roll("write " + name)
	if partial {
		c.Machine.WriteFile(name, data[:len(data)/2], perm)
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return c.Machine.WriteFile(name, data, perm)
}

func (c *chaos) ReplaceFile(root, name string, data []byte, mode fs.FileMode) error {
	return c.act("replace", path.Join(root, name), func() error { return c.Machine.ReplaceFile(root, name, data, mode) })
}

func (c *chaos) MkdirAll(name string, perm fs.FileMode) error {
	return c.act("mkdir", name, func() error { return c.Machine.MkdirAll(name, perm) })
}

func (c *chaos) Symlink(target, name string) error {
	return c.act("symlink", name, func() error { return c.Machine.Symlink(target, name) })
}

func (c *chaos) Chmod(name string, mode fs.FileMode) error {
	return c.act("chmod", name, func() error { return c.Machine.Chmod(name, mode) })
}

func (c *chaos) Chown(name string, user, group int) error {
	return c.act("chown", name, func() error { return c.Machine.Chown(name, user, group) })
}

func (c *chaos) Remove(name string) error {
	return c.act("remove", name, func() error { return c.Machine.Remove(name) })
}

func (c *chaos) Mount(m kernel.Mount) error {
	return c.act("mount", m.Target, func() error { return c.Machine.Mount(m) })
}

func (c *chaos) Unmount(target string) error {
	return c.act("unmount", target, func() error { return c.Machine.Unmount(target) })
}

func (c *chaos) MoveMount(from, to string) error {
	return c.act("move", from, func() error { return c.Machine.MoveMount(from, to) })
}

func (c *chaos) AttachLoop(file string) (string, error) {
	return do(c, "attach", file, func() (string, error) { return c.Machine.AttachLoop(file) })
}

func (c *chaos) SwitchRoot(dir string) error {
	return c.act("switch", dir, func() error { return c.Machine.SwitchRoot(dir) })
}

func (c *chaos) LoadModule(name, options string) error {
	return c.act("load", name, func() error { return c.Machine.LoadModule(name, options) })
}

func (c *chaos) Uevents() (kernel.UeventReader, error) {
	return do(c, "uevents", "", c.Machine.Uevents)
}

func (c *chaos) OpenKmsg() (kernel.KmsgReader, error) {
	return do(c, "kmsg", "", c.Machine.OpenKmsg)
}

func (c *chaos) Start(p kernel.Command) (kernel.Process, error) {
	return do(c, "start", p.Path+" "+strings.Join(p.Args, " "), func() (kernel.Process, error) { return c.Machine.Start(p) })
}

func (c *chaos) ClockState() (kernel.ClockState, error) {
	return do(c, "adjtimex", "", c.Machine.ClockState)
}

func (c *chaos) AdjustClock(a kernel.Adjustment) (kernel.ClockState, error) {
	return do(c, "adjtimex", "", func() (kernel.ClockState, error) { return c.Machine.AdjustClock(a) })
}

func (c *chaos) SetRTC(t time.Time) error {
	return c.act("rtc", "", func() error { return c.Machine.SetRTC(t) })
}

func (c *chaos) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return do(c, "lookup", host, func() ([]netip.Addr, error) { return c.Machine.Lookup(ctx, host) })
}

func (c *chaos) OpenWatchdog(device string) (kernel.Watchdog, error) {
	return do(c, "watchdog", device, func() (kernel.Watchdog, error) { return c.Machine.OpenWatchdog(device) })
}

func (c *chaos) Links() ([]kernel.Link, error) { return do(c, "links", "", c.Machine.Links) }

func (c *chaos) Addresses() ([]kernel.Address, error) {
	return do(c, "addresses", "", c.Machine.Addresses)
}

func (c *chaos) Routes() ([]kernel.Route, error) { return do(c, "routes", "", c.Machine.Routes) }

func (c *chaos) SetUp(name string, up bool) error {
	return c.act("up", name, func() error { return c.Machine.SetUp(name, up) })
}

func (c *chaos) AddLink(l kernel.NewLink) error {
	return c.act("add link", l.Name, func() error { return c.Machine.AddLink(l) })
}

func (c *chaos) AddAddress(a kernel.Address) error {
	return c.act("add address", a.Prefix.String(), func() error { return c.Machine.AddAddress(a) })
}

func (c *chaos) AddRoute(r kernel.Route) error {
	return c.act("add route", r.Destination.String(), func() error { return c.Machine.AddRoute(r) })
}

func (c *chaos) NetworkChanges(ctx context.Context) (<-chan struct{}, error) {
	return do(c, "network changes", "", func() (<-chan struct{}, error) { return c.Machine.NetworkChanges(ctx) })
}

func (c *chaos) ListenDHCP(link string) (net.PacketConn, error) {
	return do(c, "listen DHCP", link, func() (net.PacketConn, error) { return c.Machine.ListenDHCP(link) })
}

func (c *chaos) AwaitEntropy() error { return c.act("entropy", "", c.Machine.AwaitEntropy) }

func (c *chaos) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return do(c, "dial", address, func() (net.Conn, error) { return c.Machine.Dial(ctx, network, address) })
}

// chaosConfig is a configuration that has something of everything.
func chaosConfig() string {
	text := strings.Replace(configareatest.Worker("chaos"), "machine:\n", `machine:
  kernel: {modules: [{name: usb, parameters: [a=1]}]}
  sysctls: {kernel.panic: "5"}
  sysfs: {firmware.efi.x: "1"}
  udev: {rules: ['KERNEL=="null", MODE="0666"']}
  files:
    - {path: /var/lib/a, op: create, content: a}
    - {path: /etc/motd, op: append, content: b}
  time: {servers: [10.0.0.1]}
  logging: {destinations: [{endpoint: "tcp://10.0.0.1:514", format: json_lines}]}
`, 1)
	text = strings.Replace(text, "    hostname: chaos\n", "    hostname: chaos\n    interfaces: [{interface: eth0, addresses: [10.1.0.2/24], routes: [{gateway: 10.1.0.1}]}]\n", 1)
	return text + "---\napiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\ntimeout: 30s\n---\n" + (&kinds.TrustedRootsConfig{}).Example()
}

// wild is the good machine with all that chaosConfig asks for, and faults by a seed.
func wild(t *testing.T, seed uint64) *chaos {
	m := machine(t, good)
	online(t, m, false)
	withContainerd(t, m)
	m.Watchdogs = map[string]*fake.Watchdog{"/dev/watchdog0": {}}
	m.Contents["/rootfs.sqsh"]["etc/motd"] = "hello"
	must(t, m.MkdirAll("/.extra/credentials", 0o755))
	must(t, m.WriteFile("/"+configarea.Path, []byte(area(t, map[string]string{"default": chaosConfig()})), 0o400))
	return &chaos{Machine: m, seed: seed, oneIn: 100, times: map[string]int{}, repeats: map[string]bool{}}
}

// untold are the faults that neither the report nor the log tells, and that were not made good by a later try.
func (c *chaos) untold() (out []string) {
	said := c.Shown("")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if !strings.Contains(said, f.text) && !c.repeats[f.effect] && !mayBeSilent(f.effect) {
			out = append(out, f.effect+": "+f.text)
		}
	}
	return out
}

// mayBeSilent tells effects that nobody misses: looks at what a machine may not have, and the consoles and the log themselves.
func mayBeSilent(effect string) bool {
	what, name, _ := strings.Cut(effect, " ")
	switch what {
	case "open", "read", "list", "readlink":
		switch name {
		case "/etc/cri/conf.d", "/run/containerd": // are looked at again and again, the latter to see whether containerd works
			return true
		}
		return strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/dev/")
	}
	return strings.HasPrefix(effect, "start "+containerd.Client) && strings.HasSuffix(effect, "namespaces list --quiet") || // as above
		isLog(effect)
}

// isLog tells effects of the log, which holds a lock meanwhile: time stands still in a bubble where somebody waits for one.
func isLog(effect string) bool {
	return effect == "write /dev/kmsg" || strings.HasPrefix(effect, "write /proc/sys/kernel/printk") || effect == "read /proc/sys/kernel/printk"
}

// TestChaos boots a machine a hundred times, each with faults of its own. It never hangs, no boot panics, and every fault is
// told or made good.
func TestChaos(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 20
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, seed) })
		})
	}
}

func storm(t *testing.T, seed uint64) {
	c := wild(t, seed)
	done := make(chan struct{})
	go func() { Run(c); close(done) }()
	wait(2 * time.Minute)
	shown := c.Shown("")
	if !strings.Contains(shown, bootreport.Ready) && c.Ended() != kernel.Restart {
		t.Errorf("seed %d: the boot hangs:\n%s\nfaults %+v", seed, shown, c.faults)
	}
	if strings.Contains(shown, "panic in ") {
		t.Errorf("seed %d: a panic:\n%s", seed, shown)
	}
	for _, f := range c.untold() {
		t.Errorf("seed %d: nobody tells %s", seed, f)
	}
	if c.Ended() == "" {
		c.Signal(syscall.SIGTERM)
	}
	<-done
	wait(time.Minute)
}
