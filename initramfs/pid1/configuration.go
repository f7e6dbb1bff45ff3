package pid1

import (
	"errors"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/documents"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
)

// collectConfigs keeps the machine configurations that the initramfs holds: it is gone after the next step, and a machine
// knows all that it is called by only when its drivers are loaded.
func (b *boot) collectConfigs() (err error) {
	b.configs, err = documents.Collect(b.m)
	return err
}

// loadConfig reads this machine's configuration and takes its host name. With a bad one the machine goes on without.
func (b *boot) loadConfig() error {
	known := hardware.Machine(b.m)
	c, said, err := documents.Load(b.configs, configarea.Machine{UUID: known.UUID, Serial: known.Serial, MACs: documents.MACs(b.m)})
	b.configs = nil
	b.change(func(r *bootreport.Report) { r.Config = said })
	for _, f := range said.Findings {
		b.say().Warnf("machine configuration: %s", f)
	}
	if c == nil {
		return err
	}
	b.say().Infof("machine configuration: %d documents, %s, for %s", len(said.Documents), said.Source, said.Match)
	if main := c.Main(); main != nil && main.Machine.Network.Hostname != "" {
		err = errors.Join(err, b.setHostname(main.Machine.Network.Hostname))
	}
	return err
}

// setHostname gives the kernel the name and, where there is one, the domain.
func (b *boot) setHostname(full string) error {
	name, domain, _ := strings.Cut(full, ".")
	err := b.m.WriteFile("/proc/sys/kernel/hostname", []byte(name), 0)
	if err == nil {
		b.change(func(r *bootreport.Report) { r.Hostname = name })
		b.say().Infof("host name %s", name)
	}
	if domain != "" {
		err = errors.Join(err, b.m.WriteFile("/proc/sys/kernel/domainname", []byte(domain), 0))
	}
	return err
}
