package kmsg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/linux"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{ // the first three are the kernel's own examples
		{"7,160,424069,-;pci_root PNP0A03:00: host bridge window [io  0x0000-0x0cf7] (ignored)\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
			"kern debug debug 160 424.069ms pci_root PNP0A03:00: host bridge window [io  0x0000-0x0cf7] (ignored)"},
		{"6,339,5140900,-;NET: Registered protocol family 10\n", "kern info info 339 5.1409s NET: Registered protocol family 10"},
		{"30,340,5690716,-;udevd[80]: starting version 181\n", "daemon info info 340 5.690716s udevd[80]: starting version 181"},
		{"12,711,6252819,-;[talos] task\n", "user warning warn 711 6.252819s [talos] task"},
		{"4,5,6,c,caller=T1;cont\\x0a\\x5cinued \\xc3\\xa9\\x09;\n", "kern warning warn 5 6µs cont\n\\inued é\t;"},
		{`3,1,2,-;\x \xg1 \x4`, `kern err error 1 2µs \x \xg1 \x4`},
		{"0,1,2;no flags", "kern emerg error 1 2µs no flags"},
		{"191,18446744073709551615,9223372036854775,-;", "local7 debug debug 18446744073709551615 2562047h47m16.854775s "},
		{"1000,1,2,-;x", "125 emerg error 1 2µs x"},
	} {
		r, err := Parse([]byte(c.in))
		if got := fmt.Sprint(r.Facility, " ", r.Priority, " ", r.Priority.Level(), " ", r.Seq, " ", r.Clock, " ", string(r.Text)); err != nil || got != c.want {
			t.Errorf("%q: %v\ngot  %q\nwant %q", c.in, err, got, c.want)
		}
	}
	for _, in := range []string{
		"", ";", "6;x", "6,1;x", "6,1,2", "-6,1,2,-;x", "6,,2,-;x", "6,1,x,-;x", "6,1,9223372036854775807,-;x", "99999999999,1,2,-;x",
		"6,18446744073709551616,2,-;x",
	} {
		if r, err := Parse([]byte(in)); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %+v, %v", in, r, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("7,160,424069,-;pci_root\\x0a\n SUBSYSTEM=acpi\n"))
	f.Add([]byte("4,5,6,c,caller=T1;\\x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Parse(in)
		if err != nil {
			return
		}
		if len(r.Text) > len(in) || r.Clock < 0 {
			t.Fatalf("%+v", r)
		}
		var escaped strings.Builder
		for _, b := range r.Text {
			if b < ' ' || b >= 127 || b == '\\' {
				fmt.Fprintf(&escaped, `\x%02x`, b)
			} else {
				escaped.WriteByte(b)
			}
		}
		again, err := Parse(fmt.Appendf(nil, "%d,%d,%d,-;%s\n", uint32(r.Facility)<<3|uint32(r.Priority), r.Seq, r.Clock.Microseconds(), &escaped))
		if int64(r.Facility) < 1<<29 && (err != nil || again.Seq != r.Seq || again.Clock != r.Clock || !bytes.Equal(again.Text, r.Text)) {
			t.Fatalf("%v\n%+v\n%+v", err, r, again)
		}
	})
}

// texts are the texts in a ring.
func texts(t *testing.T, r *ring.Ring) (all []string) {
	c := r.Cursor(0)
	for rec, _, ok := c.Next(); ok; rec, _, ok = c.Next() {
		p, err := Parse(rec.Text)
		if err != nil || p.Clock != rec.At || p.Priority.Level() != rec.Level {
			t.Errorf("%v: %+v of %+v", err, p, rec)
		}
		all = append(all, string(p.Text))
	}
	return all
}

func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		r := &Reader{Ring: ring.New(ring.NewCodec(), 0, new(watch.Value[struct{}]))}
		run := func() (stop func() error) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- r.Run(ctx, m) }()
			synctest.Wait()
			return func() error { cancel(); return <-ended }
		}
		m.KernelSays("6,3,100,-;three\n KEY=value\n") // 0 to 2 were overwritten before init ran
		stop := run()
		m.KernelSays("4,4,200,-;four\n")
		m.KernelSays("what")
		m.KernelSays("") // an overrun
		m.KernelSays("3,9,300,-;nine\n")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		stop = run() // reads everything again
		m.KernelSays("3,10,400,-;ten\n")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := strings.Join(texts(t, r.Ring), " "); got != "three four nine ten" || r.Lost() != 3+4 || r.Damaged() != 2 {
			t.Errorf("%s; lost %d, damaged %d", got, r.Lost(), r.Damaged())
		}
	})
}

type broken struct{ err error }

func (b broken) OpenKmsg() (kernel.KmsgReader, error) { return b, nil }
func (b broken) Read([]byte) (int, error)             { return 0, b.err }
func (b broken) Close() error                         { return nil }

func TestReaderFails(t *testing.T) {
	r := &Reader{}
	if err := r.Run(t.Context(), broken{os.ErrPermission}); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

// TestRealKernel reads the log of the machine that the test runs on, with dmesg as judge.
func TestRealKernel(t *testing.T) {
	k := linux.Machine{}
	if f, err := k.OpenKmsg(); err != nil {
		t.Skipf("SKIPPED, NOT PASSED: /dev/kmsg may not be read here: %v", err)
	} else {
		f.Close()
	}
	want := oracle.Run(t, "dmesg", "--raw")
	r := &Reader{Ring: ring.New(ring.NewCodec(), 0, new(watch.Value[struct{}]))}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx, k) }()
	time.Sleep(100 * time.Millisecond) // only so that Close has a Read to end
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want = regexp.MustCompile(`(?m)^(<\d+>\[ *\d+\.\d+\])? *`).ReplaceAllString(want, "") // dmesg indents second lines
	got := regexp.MustCompile(`(?m)^ +`).ReplaceAllString(strings.Join(texts(t, r.Ring), "\n")+"\n", "")
	if !strings.HasPrefix(got, want) || r.Damaged() != 0 {
		t.Errorf("%d records damaged; read\n%s\ndmesg says\n%s", r.Damaged(), got, want)
	}
}
