//go:build linux

package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
)

const (
	// observed is how long a clock is watched after its keeper has had the first answer; settled is the end of that.
	observed, settled = 100 * time.Second, 60 * time.Second
	// surest is the longest round trip of a question for the time that counts; the answer is right to half of it.
	surest = 10 * time.Millisecond
)

// BenchmarkClock is how soon and how well a machine's clock is right by our own task, and by Debian's chronyd with Debian's settings
// in a service's container of the same machine, where machine.time is disabled. Both ask the same server, which has this computer's
// time and says nothing until the machine is up. What a clock says is asked from outside.
func BenchmarkClock(b *testing.B) {
	vmtest.Need(b)
	f := prepare(b)
	extension := f.clockExtension(b)
	timed := func(fields string) vm.Options {
		return f.configured(b, "time: {"+fields+"}", "--system-extension-image", extension)
	}
	ours, chronyd := timed("servers: [10.0.2.2]"), timed("disabled: true")
	var server sntptest.Server
	server.Listen(b, "127.0.0.1:123") // QEMU's machines find it at 10.0.2.2
	for _, c := range []clockCase{
		{name: "years", rtc: "2020-01-01T00:00:00", server: &server},
		{name: "300ms", rtc: "utc", ahead: 300 * time.Millisecond, server: &server},
	} {
		b.Run(c.name, func(b *testing.B) {
			hideTotal(b)
			here, there := c.run(b, ours, false), c.run(b, chronyd, true)
			for what, figure := range here {
				b.ReportMetric(figure, "bootwright-"+what)
				b.ReportMetric(there[what], "chronyd-"+what)
				b.ReportMetric(figure/there[what], what+"/chronyd")
			}
		})
	}
}

// clockCase is a way in which a clock is wrong.
type clockCase struct {
	name   string
	rtc    string        // for QEMU
	ahead  time.Duration // unless zero, what the clock is put ahead by before its keeper gets an answer
	server *sntptest.Server
}

// run boots a machine and measures its clock from the first answer that its keeper gets.
func (c clockCase) run(b *testing.B, o vm.Options, chronyd bool) map[string]float64 {
	c.server.Edit(sntptest.Silence)
	face := show(b, o, c.rtc)
	defer face.stop()
	now := face.await(b)
	for c.ahead != 0 && (now.offset-c.ahead).Abs() > surest {
		face.ask('s', c.ahead-now.offset)
		now = face.await(b)
	}
	began := make(chan time.Time, 1)
	c.server.Edit(func([]byte) {
		select {
		case began <- time.Now():
		default:
		}
	})
	if chronyd {
		face.ask('c', 0)
	}
	select {
	case start := <-began:
		c.server.Edit(nil)
		return figures(b, face.watch(start))
	case <-time.After(time.Minute):
		b.Fatalf("the machine asked for no time within a minute\n%s", face.console)
		return nil
	}
}

// figures are how soon a clock is within 400 and within 10 ms for good, which one that never is has as its last sample, and how far
// off it is at the end.
func figures(b *testing.B, samples []sample) map[string]float64 {
	b.Logf("offsets:%s", trace(samples))
	got := map[string]float64{}
	for _, limit := range []time.Duration{400 * time.Millisecond, 10 * time.Millisecond} {
		for i, s := range samples {
			if i == 0 || samples[i-1].offset.Abs() > limit {
				got[fmt.Sprintf("s-to-%v", limit)] = s.at.Seconds()
			}
		}
	}
	var late []float64
	for _, s := range samples {
		if s.at >= observed-settled {
			late = append(late, s.offset.Abs().Seconds()*1000)
		}
	}
	if len(late) == 0 {
		b.Fatal("the machine does not tell its time any more")
	}
	got["median-ms"], got["max-ms"] = median(late), slices.Max(late)
	return got
}

// trace is some of the samples, fewer as time goes on.
func trace(samples []sample) string {
	var line strings.Builder
	next := time.Duration(0)
	for _, s := range samples {
		if s.at >= next {
			fmt.Fprintf(&line, " %.1fs:%.2fms", s.at.Seconds(), s.offset.Seconds()*1000)
			next = max(s.at+time.Second/2, s.at*5/4)
		}
	}
	return line.String()
}

// clockFace is a machine that can be asked for its time.
type clockFace struct {
	net.Conn
	console *console
	stop    func() // ends the machine
}

// sample is how far ahead a clock is.
type sample struct {
	at, offset time.Duration
}

// show boots a machine of o whose RTC says rtc.
func show(b *testing.B, o vm.Options, rtc string) *clockFace {
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(b, err)
	address := free.LocalAddr().String()
	must(b, free.Close())
	c, err := net.Dial("udp4", address)
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	face, ended := &clockFace{Conn: c, console: &console{}}, make(chan struct{})
	o.ExtraArgs = []string{
		"-rtc", "base=" + rtc, "-netdev", "user,id=n0,hostfwd=udp:" + address + "-:1230", "-device", "virtio-net-pci,netdev=n0",
	}
	o.Accel, o.Serial = "tcg", face.console
	go func() {
		defer close(ended)
		if _, err := vm.Run(ctx, o); ctx.Err() == nil {
			b.Errorf("%v\n%s", err, face.console)
		}
	}()
	face.stop = func() {
		cancel()
		<-ended
		c.Close()
	}
	return face
}

// await asks until there is an answer.
func (f *clockFace) await(b *testing.B) sample {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if s, ok := f.ask('n', 0); ok {
			return s
		}
	}
	b.Fatalf("the machine does not tell its time\n%s", f.console)
	return sample{}
}

// watch samples the clock for as long as it is observed, from start on.
func (f *clockFace) watch(start time.Time) (samples []sample) {
	for time.Since(start) < observed {
		if s, ok := f.ask('n', 0); ok {
			s.at = time.Since(start)
			samples = append(samples, s)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return samples
}

// ask sends a command of testdata/clockface. It fails without an answer soon enough to say much.
func (f *clockFace) ask(command byte, n time.Duration) (sample, bool) {
	sent := time.Now()
	f.SetDeadline(sent.Add(time.Second))
	if command == 'n' {
		n = time.Duration(sent.UnixNano()) // tells a late answer to another question
	}
	packet := binary.BigEndian.AppendUint64([]byte{command}, uint64(n))
	if _, err := f.Write(packet); err != nil {
		time.Sleep(100 * time.Millisecond) // refused: the machine is not there yet
		return sample{}, false
	}
	answer := make([]byte, len(packet)+8)
	for {
		if _, err := f.Read(answer); err != nil {
			time.Sleep(100 * time.Millisecond)
			return sample{}, false
		}
		trip := time.Since(sent)
		if !bytes.HasPrefix(answer, packet) {
			continue
		}
		says := time.Unix(0, int64(binary.BigEndian.Uint64(answer[len(packet):])))
		return sample{offset: says.Sub(sent.Add(trip / 2))}, trip < surest
	}
}

// console keeps what a machine says.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.buf.Bytes()[max(0, c.buf.Len()-8<<10):])
}

// clockExtension is a service that tells the time, and has this computer's chronyd with its libraries beside it.
func (f *fixture) clockExtension(b *testing.B) string {
	dir := f.folder(b, "clockface")
	const root = "rootfs/usr/local/lib/containers/clockface/"
	write := func(name, text string, mode os.FileMode) {
		file := filepath.Join(dir, name)
		must(b, os.MkdirAll(filepath.Dir(file), 0o755))
		must(b, os.WriteFile(file, []byte(text), mode))
	}
	write("manifest.yaml", "version: v1alpha1\nmetadata: {name: clockface, version: '1'}\n", 0o644)
	write("rootfs/usr/local/etc/containers/clockface.yaml", `name: clockface
container:
  entrypoint: /clockface
  mounts:
    - {source: tmpfs, destination: /run, type: tmpfs, options: [mode=0755]}
depends:
  - network: [addresses]
restart: always
logToConsole: true
`, 0o644)
	write(root+"etc/passwd", "root:x:0:0::/:/\n", 0o644)
	write(root+"etc/chrony.conf", "server 10.0.2.2 iburst\nmaxupdateskew 100.0\nrtcsync\nmakestep 1 3\n"+
		"cmdport 0\nbindcmdaddress /\npidfile /run/chronyd.pid\n", 0o644)
	chronyd := oracle.Need(b, "chronyd")
	copied := func(from, to string) {
		text, err := os.ReadFile(from)
		must(b, err)
		write(root+to, string(text), 0o755)
	}
	copied(chronyd, "usr/sbin/chronyd")
	for _, library := range vmtest.Libraries(b, chronyd) {
		copied(library, library)
	}
	for _, folder := range []string{"proc", "dev", "sys", "run"} {
		write(root+folder+"/.keep", "", 0o644)
	}
	b.Setenv("CGO_ENABLED", "0")
	f.mustRun(b, "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, root, "clockface"), "./testdata/clockface")
	return dir
}
