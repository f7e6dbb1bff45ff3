package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/inherit"
	"github.com/bootwright/bootwright/cmd/bootwright/configcmd"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// profileOptions are the argument and the flags by which commands are told what to make.
type profileOptions struct {
	name       string // of a built-in, or - for standard input
	file       string
	arch       string
	platform   string
	base       string
	kernelArgs []string
	extensions []string
	configs    profiles.MachineConfig
	set        []string
}

func (o *profileOptions) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "profile to read from a `FILE`; - for standard input")
	f.StringVar(&o.arch, "arch", "", "architecture: "+strings.Join(profiles.Arches(), " or "))
	f.StringVar(&o.platform, "platform", "", "platform, such as metal")
	f.StringVar(&o.base, "base", "", "base `REF`: oci:DIR[:TAG], tar:FILE, dir:DIR or a registry reference")
	f.StringArrayVar(&o.kernelArgs, "extra-kernel-arg", nil, "kernel `ARG` to add; -NAME removes one (repeatable)")
	f.StringArrayVar(&o.extensions, "system-extension-image", nil, "system extension to lay over the base: a folder or a `REF` (repeatable; later ones win)")
	configcmd.BindFlags(cmd, &o.configs)
	f.StringArrayVar(&o.set, "set", nil, "`PATH=VALUE` to set in the profile, such as output.isoOptions.label=SITE7 (repeatable)")
	cli.CompleteWords(cmd, "arch", profiles.Arches())
	cli.CompleteWords(cmd, "platform", profiles.Platforms())
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return profiles.Names(), cobra.ShellCompDirectiveNoFileComp
	}
}

func (o *profileOptions) setName(args []string) {
	if len(args) > 0 {
		o.name = args[0]
	}
}

// maxProfile bounds what is read before it is known what it is: a plan is bigger than any profile. In bytes.
const maxProfile = 4 << 20

// read is the document that was asked for, and what messages call it. Both are empty for a built-in profile.
func (o *profileOptions) read(ctx context.Context, a *app) (name string, data []byte, err error) {
	file := o.file
	switch {
	case o.file != "" && o.name != "":
		return "", nil, report.Errorf(report.Invalid, "give a profile by name or with -f, not both")
	case o.name == "-":
		file = "-"
	case o.name != "":
		return "", nil, nil
	case o.file == "":
		return "", nil, report.WithHint(report.Errorf(report.Invalid, "no profile"),
			"name one of %s, or give a file with -f", strings.Join(profiles.Names(), ", "))
	}
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", nil, err
		}
		defer f.Close()
		in = f
	}
	data, err = cli.ReadAll(ctx, io.LimitReader(in, maxProfile+1))
	if err != nil {
		return "", nil, err
	}
	if len(data) > maxProfile {
		return "", nil, report.Errorf(report.Invalid, "%s: more than the %d bytes that a profile or plan may have", file, maxProfile)
	}
	return file, data, nil
}

// resolve is the complete profile: the document that read returned, or the built-in, with the flags laid over it.
func (o *profileOptions) resolve(name string, data []byte, find profiles.Finder) (*profiles.Profile, error) {
	p, err := o.load(name, data)
	if err != nil {
		return nil, err
	}
	for _, s := range append(o.settings(), o.configSettings()...) {
		if err := p.Set(s.flag, s.path, s.value); err != nil {
			return nil, err
		}
	}
	for _, set := range o.set {
		path, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, report.WithHint(report.Errorf(report.Invalid, "--set %s has no value", set), "write --set PATH=VALUE")
		}
		if err := p.Set("--set "+path, path, value); err != nil {
			return nil, err
		}
	}
	from := ""
	if name != "" && name != "-" {
		from = inherit.InFile(name)
	}
	return profiles.ResolveFrom(p, from, find)
}

func (o *profileOptions) load(name string, data []byte) (*profiles.Profile, error) {
	if name == "" {
		return profiles.Builtin(o.name)
	}
	return profiles.Load(name, data)
}

// setting is a flag that stands for a field.
type setting struct{ flag, path, value string }

// settings are the flags that were given, --set apart.
func (o *profileOptions) settings() []setting {
	var out []setting
	for _, s := range []setting{{"--arch", "arch", o.arch}, {"--platform", "platform", o.platform}, {"--base", "base", o.base}} {
		if s.value != "" {
			out = append(out, s)
		}
	}
	for _, arg := range o.kernelArgs {
		out = append(out, setting{"--extra-kernel-arg", "customization.extraKernelArgs", arg})
	}
	for _, ref := range o.extensions {
		if st, err := os.Stat(ref); err == nil && st.IsDir() {
			ref = "dir:" + ref
		}
		out = append(out, setting{"--system-extension-image", "input.systemExtensions", "[{imageRef: " + strconv.Quote(ref) + "}]"})
	}
	return out
}

// configSettings are the flags about machine configurations, which a plan may need too.
func (o *profileOptions) configSettings() []setting {
	const field = "customization.machineConfig."
	var out []setting
	for _, s := range []setting{{"--config", field + "path", o.configs.Path}, {"--config-dir", field + "dir", o.configs.Dir}} {
		if s.value != "" {
			out = append(out, s)
		}
	}
	for _, patch := range o.configs.Patches {
		out = append(out, setting{"--config-patch", field + "patches", patch})
	}
	return out
}

// changed reports whether any flag changes the profile, configurations apart.
func (o *profileOptions) changed() bool { return len(o.settings())+len(o.set) > 0 }
