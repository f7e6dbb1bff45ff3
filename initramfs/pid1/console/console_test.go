package console

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

// show opens a log on a machine with a serial line and a screen, calls f, and returns what each shows and the kernel log.
func show(t *testing.T, printk string, verbose bool, f func(m *fake.Machine, l *Log)) (serial, screen, kmsg string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, map[string]string{
			"sys/class/tty/console/active": "tty0 ttyS0\n", "proc/sys/kernel/printk": printk + "\t4\t1\t7\n",
		})
		l := Open(m, func(f func()) { go f() }, verbose)
		f(m, l)
		l.Flush(time.Second)
		l.Close()
		serial, screen, kmsg = m.Shown("/dev/ttyS0"), m.Shown("/dev/tty0"), strings.Join(m.Kmsg, "")
	})
	return serial, screen, kmsg
}

func say(_ *fake.Machine, l *Log) {
	l.Infof("went %s", "well")
	l.Warnf("went so so")
	l.Errorf("went wrong")
}

// TestEachLineOnce: whatever the kernel prints of its log, each line is on the console, once.
func TestEachLineOnce(t *testing.T) {
	for _, c := range []struct {
		name, printk string
		verbose      bool
	}{{"default", "7", false}, {"quiet", "4", false}, {"silent", "1", false}, {"debug", "10", true}, {"loglevel=5", "5", true}} {
		serial, _, kmsg := show(t, c.printk, c.verbose, say)
		for _, line := range []string{"bootwright: went well\n", "bootwright: warning: went so so\n", "bootwright: error: went wrong\n"} {
			if n := strings.Count(serial, line); n != 1 {
				t.Errorf("%s: %q is %d times in\n%s", c.name, line, n, serial)
			}
		}
		if want := "<14>bootwright: went well\n<12>bootwright: warning: went so so\n<11>bootwright: error: went wrong\n"; kmsg != want {
			t.Errorf("%s: kernel log %q", c.name, kmsg)
		}
	}
}

// TestDebugf: consoles show it only with all that the kernel says.
func TestDebugf(t *testing.T) {
	for printk, want := range map[string]int{"7": 0, "8": 1} {
		serial, _, kmsg := show(t, printk, printk == "8", func(_ *fake.Machine, l *Log) { l.Debugf("%d figures", 5) })
		if n := strings.Count(serial, "bootwright: 5 figures\n"); n != want || kmsg != "<15>bootwright: 5 figures\n" {
			t.Errorf("printk %s: %d times on the console, kernel log %q", printk, n, kmsg)
		}
	}
}

func TestKernelLogTakesShortLines(t *testing.T) {
	_, _, kmsg := show(t, "7", false, func(m *fake.Machine, l *Log) {
		l.Infof("%s\nsecond", strings.Repeat("x", 2000))
		for _, record := range m.Kmsg {
			if len(record) > 980 {
				t.Errorf("a record of %d bytes", len(record))
			}
		}
	})
	if !strings.Contains(kmsg, "<14>bootwright: second\n") {
		t.Error(kmsg)
	}
}

// TestAnnounce: the kernel is quiet while the line for programs is printed, which is not for screens.
func TestAnnounce(t *testing.T) {
	serial, screen, _ := show(t, "7", false, func(m *fake.Machine, l *Log) {
		l.Announce([]byte("report: {}\n"), "ready")
		if p, _ := m.ReadFile(printkFile); string(p) != "6" {
			t.Errorf("the kernel's level is %s afterwards", p)
		}
	})
	if serial != "report: {}\nbootwright: ready\n" || screen != "bootwright: ready\n" {
		t.Errorf("serial %q, screen %q", serial, screen)
	}
}

// TestNoConsole: with nothing to write to, /dev/console is tried.
func TestNoConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		l := Open(m, func(f func()) { go f() }, false)
		l.Infof("hello")
		l.Flush(time.Second)
		l.Close()
		if got := m.Shown("/dev/console"); got != "bootwright: hello\n" {
			t.Error(got)
		}
	})
}

// TestHungConsoleDrops: what a console does not take is dropped in the end, and nobody waits for it.
func TestHungConsoleDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, map[string]string{"sys/class/tty/console/active": "tty0 ttyS0\n"})
		m.Hung = "/dev/ttyS0"
		l := Open(m, func(f func()) { go f() }, false)
		for range 1000 {
			l.Infof("line")
			synctest.Wait()
		}
		start := time.Now()
		l.Flush(time.Second)
		if d := time.Since(start); d != time.Second {
			t.Errorf("waited %s", d)
		}
		if n := strings.Count(m.Shown("/dev/tty0"), "\n"); n != 1000 {
			t.Errorf("%d lines on the screen", n)
		}
		l.Close()
		m.Reboot("")
	})
}

// TestTee: who listens gets each line once, with its priority and without marks.
func TestTee(t *testing.T) {
	var got []string
	show(t, "7", false, func(m *fake.Machine, l *Log) {
		l.Infof("before")
		l.Tee(func(priority int, text string) { got = append(got, fmt.Sprint(priority, " ", text)) })
		say(m, l)
		l.Announce([]byte("for programs\n"), "ready")
	})
	if all := strings.Join(got, ", "); all != "6 went well, 4 went so so, 3 went wrong, 6 ready" {
		t.Error(all)
	}
}
