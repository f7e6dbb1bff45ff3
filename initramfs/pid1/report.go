package pid1

import (
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// announce keeps the report, and prints it and then text, where there is one.
func (b *boot) announce(text string) {
	kept, own := b.logs.Report(), hardware.Init(b.m)
	b.report.Change(func(r *bootreport.Report) { r.Logs, r.Init = kept, own })
	if b.modules != nil {
		loaded, err := b.modules.Report(), error(nil)
		if loaded.Kernel, err = modules.Names(b.m); err != nil {
			b.say().Warnf("%v", err)
		}
		b.report.Change(func(r *bootreport.Report) { r.Modules = loaded })
	}
	line, err := b.report.Save(b.m)
	if err != nil {
		b.say().Warnf("keep the boot report: %v", err)
	}
	b.say().Announce(line, text)
}
