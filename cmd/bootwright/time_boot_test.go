package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// ntp is where QEMU's machines find a server at 10.0.2.2; machine.time takes no port.
const ntp = "127.0.0.1:123"

// timed is a machine that says all about its time, and whose machine.time is fields.
func timed(t *testing.T, fields string) vm.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.yaml")
	text := strings.Replace(configareatest.Worker("timed"), "machine:\n", "machine:\n  time: {"+fields+"}\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := withoutLoader(t, baked(file)...)
	o.Append += " debug"
	return o
}

// bootUntil boots a machine whose RTC says clock until its console says what is awaited, and returns the console.
func bootUntil(t *testing.T, o vm.Options, clock, awaited string) string {
	t.Helper()
	o.Until, o.ExtraArgs = regexp.MustCompile(awaited), append(nic("n0"), "-rtc", "base="+clock)
	return vmtest.Boot(t, o)
}

// synced is the part of the boot report that says that the time is right, with the time.
const synced = `"clock":\{"now":"([^"]*)","synced":true,"servers":\["10\.0\.2\.2"\],"source":"10\.0\.2\.2",[^}]*\},`

// TestBootTime boots machines whose clock is wrong or whose server is, one after another, because a server has one port.
func TestBootTime(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	t.Run("years", testYears)
	t.Run("slew", testSlew)
	t.Run("liar", testLiar)
	t.Run("timeout", testTimeout)
}

// testYears boots machines whose clock is years off, beside chronyd.
func testYears(t *testing.T) {
	sntptest.Chrony(t, ntp)
	machine := timed(t, "servers: [10.0.2.2]")
	for clock, says := range map[string]string{
		"2020-01-01T00:00:00": "it is set to when the image was built, ",
		"2040-01-01T00:00:00": "10.0.2.2 says that the clock is off by -",
	} {
		console := bootUntil(t, machine, clock, synced)
		for _, want := range []string{says, "adjusting time (step) by ", " via 10.0.2.2, state TIME_OK, status STA_NANO", `"leap": 0, "stratum": 5, "precision": `} {
			if !strings.Contains(console, want) {
				t.Errorf("%s: %q is not said", clock, want)
			}
		}
		found := regexp.MustCompile(synced).FindStringSubmatch(console)
		if now, err := time.Parse(time.RFC3339, found[1]); err != nil || time.Since(now).Abs() > time.Minute {
			t.Errorf("%s: the clock is set to %s", clock, found[1])
		}
	}
}

// testSlew: a clock that a server has stepped, and that is then off by 300 ms, is slewed. The step itself is right to half a
// round trip, which is long on a busy machine.
func testSlew(t *testing.T) {
	var s sntptest.Server
	var answers atomic.Int32
	s.Edit(func([]byte) {
		if answers.Add(1) == 2 { // the first two make the step
			go s.Ahead(300 * time.Millisecond)
		}
	})
	s.Listen(t, ntp)
	const slewed = `adjusting time \(slew\) by [23][0-9]{2}(\.[0-9]+)?ms via 10\.0\.2\.2, state TIME_OK, status STA_PLL \| STA_FREQHOLD \| STA_NANO`
	console := bootUntil(t, timed(t, "servers: [10.0.2.2]"), "2020-01-01T00:00:00", slewed)
	if n := strings.Count(console, "adjusting time (step)"); n != 1 {
		t.Errorf("%d steps", n)
	}
}

// testLiar: what a lying server says is refused, each lie with its reason.
func testLiar(t *testing.T) {
	var s sntptest.Server
	lies := []func(p []byte){
		func(p []byte) { p[24]++ },
		func(p []byte) { p[1] = 16 },
		func(p []byte) { sntptest.PutTime(p[40:], time.Now().Add(time.Hour)) },
		func(p []byte) { sntptest.PutTime(p[32:], time.Now().Add(time.Hour)) },
		func(p []byte) {
			for _, i := range []int{16, 32, 40} {
				sntptest.PutTime(p[i:], time.Now().AddDate(10, 0, 0))
			}
		},
	}
	var answers atomic.Int32
	s.Edit(func(p []byte) {
		if n := int(answers.Add(1)); n <= len(lies) {
			lies[n-1](p)
		}
	})
	s.Listen(t, ntp)
	console := bootUntil(t, timed(t, "servers: [10.0.2.2]"), "utc", synced)
	for _, want := range []string{
		"10.0.2.2: no answer within 5s, except one that has another origin timestamp than was sent",
		"10.0.2.2: stratum 16: the server is not synchronised", "less than no time", "before the question was received",
		"10.0.2.2 says that the clock is off by 876", "via 10.0.2.2, state TIME_OK",
	} {
		if !strings.Contains(console, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if strings.Contains(console, "adjusting time (step) by 876") {
		t.Error("a lie was believed")
	}
}

// testTimeout: a machine without a server that answers goes on when it was told to.
func testTimeout(t *testing.T) {
	var s sntptest.Server
	s.Edit(sntptest.Silence)
	s.Listen(t, ntp)
	console := bootUntil(t, timed(t, "servers: [10.0.2.2], bootTimeout: 5s"), "utc", `"synced":true,"servers":\["10\.0\.2\.2"\],"(jumps|faults)"`)
	if want := "warning: time is not synchronised after 5s; it is taken as it is"; !strings.Contains(console, want) {
		t.Errorf("%q is not said", want)
	}
}
