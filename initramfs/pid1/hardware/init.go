package hardware

import (
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// tick is how many milliseconds the unit of times in /proc has (USER_HZ, which is 100 on all that Linux runs on here).
const tick = 10

// Init is what this process takes, of proc(5).
func Init(m kernel.Files) bootreport.Init {
	status, _ := m.ReadFile("/proc/self/status")
	out := bootreport.Init{Resident: kilobytes(string(status), "VmRSS:")}
	stat, _ := m.ReadFile("/proc/self/stat")
	i := strings.LastIndex(string(stat), ")") // the name before it may hold anything
	if fields := strings.Fields(string(stat[i+1:])); len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		out.UserMS, out.SystemMS = user*tick, system*tick
	}
	return out
}
