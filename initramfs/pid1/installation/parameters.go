package installation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/meta"
)

// parameters are what this machine adds to what is installed.
type parameters struct {
	boot   install.Boot
	meta   meta.Values
	config []byte
	zero   bool
}

// newParameters are those of a machine that was started with args, by the configuration c, which has machine.install.
func newParameters(args cmdline.Args, c *config.Config) (parameters, error) {
	wanted := c.Main().Machine.Install
	p := parameters{meta: meta.Values{}, config: c.Bytes(), zero: wanted.Wipe != nil && *wanted.Wipe}
	p.boot.Platform, _ = args.Get(cmdline.Platform)
	if source, ok := args.Get(cmdline.Config); ok { // where the machine asks for another configuration
		p.boot.ExtraKernelArgs = []string{"-" + cmdline.Config, cmdline.Arg{Key: cmdline.Config, Value: source, HasValue: true}.String()}
	}
	p.boot.ExtraKernelArgs = append(p.boot.ExtraKernelArgs, wanted.ExtraKernelArgs...)
	for _, v := range args.All(cmdline.Environment) {
		text, ok := strings.CutPrefix(v, meta.ArgumentName+"=")
		if !ok {
			continue
		}
		values, err := meta.DecodeArgument(text)
		if err != nil {
			return p, err
		}
		for tag, value := range values {
			p.meta[tag] = value
		}
	}
	return p, nil
}

// flags are p as the program of an installer image takes it, with the configuration in a file.
func (p parameters) flags(disk, configFile string) []string {
	flags := []string{"install", "--disk", disk, "--config", configFile, "--force"}
	if p.boot.Platform != "" {
		flags = append(flags, "--platform", p.boot.Platform)
	}
	for _, a := range p.boot.ExtraKernelArgs {
		flags = append(flags, "--extra-kernel-arg="+a)
	}
	for _, tag := range slices.Sorted(maps.Keys(p.meta)) {
		flags = append(flags, fmt.Sprintf("--meta=%#x=%s", uint8(tag), p.meta[tag]))
	}
	if p.zero {
		flags = append(flags, "--zero")
	}
	return flags
}
