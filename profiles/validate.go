package profiles

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Arches are the architectures that assets are made for.
func Arches() []string { return []string{"amd64", "arm64"} }

// kind is what an output kind has use for. How it is made is the builder's business.
type kind struct {
	cmdline bool     // it holds a kernel command line
	embeds  bool     // it holds an initramfs
	config  bool     // it has a place for machine configurations beside that
	room    bool     // which is reserved
	inputs  []string // fields of input
	options string   // field of output
}

func kinds() map[string]kind {
	return map[string]kind{
		"cmdline":   {cmdline: true},
		"image":     {cmdline: true, embeds: true, config: true, room: true, inputs: []string{"kernel", "sdStub", "sdBoot"}, options: "imageOptions"},
		"initramfs": {embeds: true},
		"installer": {cmdline: true, embeds: true, inputs: []string{"kernel", "sdStub", "sdBoot"}},
		"iso":       {cmdline: true, embeds: true, config: true, room: true, inputs: []string{"kernel", "sdStub", "sdBoot"}, options: "isoOptions"},
		"kernel":    {inputs: []string{"kernel"}},
		"pxe":       {cmdline: true, embeds: true, config: true, inputs: []string{"kernel"}, options: "pxeOptions"},
		"uki":       {cmdline: true, embeds: true, inputs: []string{"kernel", "sdStub"}},
	}
}

// Kinds are the output kinds, by name.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds())) }

// valueFaults are those of the values that p has, each looked at by itself.
func (p *Profile) valueFaults() []fault {
	var out []fault
	word := func(path, value, what string, words []string) {
		if value != "" && !slices.Contains(words, value) {
			out = append(out, fault{path, fmt.Sprintf("unknown %s %.100q", what, value), nearest(value, words)})
		}
	}
	text := func(path, value, pattern, want string) {
		if value != "" && !regexp.MustCompile(pattern).MatchString(value) {
			out = append(out, fault{path, fmt.Sprintf("%.100q is not %s", value, want), ""})
		}
	}
	if IsBuiltinName(p.BaseProfileName) {
		word("baseProfileName", p.BaseProfileName, "built-in profile", Names())
	}
	text("baseProfileName", p.BaseProfileName, `^[^\x00-\x1f\x7f]+$`, "a name, a file or a reference")
	word("arch", p.Arch, "architecture", Arches())
	word("platform", p.Platform, "platform", Platforms())
	word("output.kind", p.Output.Kind, "output kind", Kinds())
	word("output.outFormat", p.Output.OutFormat, "output format", OutFormats())
	word("customization.machineConfig.embed", p.Customization.MachineConfig.Embed, "place", []string{EmbedInitramfs})
	if room := p.Customization.MachineConfig.Room; room < 0 || room > configarea.MaxSize {
		out = append(out, fault{"customization.machineConfig.room", fmt.Sprintf("%d bytes cannot be reserved", room), fmt.Sprintf("0 to %d", configarea.MaxSize)})
	}
	text("version", p.Version, `^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$`, "a version of up to 64 letters, digits and . _ + ~ -")
	text("base", p.Base, `^[^\x00-\x1f\x7f]+$`, "a reference")
	text("output.isoOptions.label", p.Output.ISOOptions.Label, `^[A-Z0-9_]{1,32}$`, "a volume name of up to 32 of A-Z, 0-9 and _")
	text("output.pxeOptions.baseURL", p.Output.PXEOptions.BaseURL, `^(https?|tftp|ftp)://[!-~]+$`, "a URL of http, https, tftp or ftp")
	for i, arg := range p.Customization.ExtraKernelArgs {
		if _, err := cmdline.ParseWord(strings.TrimPrefix(arg, "-")); err != nil {
			out = append(out, fault{fmt.Sprintf("customization.extraKernelArgs[%d]", i), err.Error(), report.HintOf(err)})
		}
	}
	out = append(out, imageFaults(p.Output.ImageOptions)...)
	return append(append(out, metaFaults(p.Customization.MetaContents)...), extensionFaults(p.Input)...)
}

func extensionFaults(in Input) []fault {
	var out []fault
	for i, image := range in.SystemExtensions {
		at := fmt.Sprintf("input.systemExtensions[%d]", i)
		ways := slices.DeleteFunc([]string{image.ImageRef, image.TarballPath, image.OCIPath}, func(s string) bool { return s == "" })
		if len(ways) != 1 {
			out = append(out, fault{at, fmt.Sprintf("names an image in %d ways", len(ways)), "give one of imageRef, tarballPath and ociPath"})
		} else if strings.ContainsFunc(ways[0], unicode.IsControl) {
			out = append(out, fault{at, fmt.Sprintf("%.100q is not a reference", ways[0]), ""})
		}
	}
	for i, pattern := range in.ExtensionRules.MayReplace {
		if _, err := path.Match(pattern, "/"); err != nil || !strings.HasPrefix(pattern, "/") || path.Clean(pattern) != pattern {
			out = append(out, fault{fmt.Sprintf("input.extensionRules.mayReplace[%d]", i), fmt.Sprintf("%.100q is no pattern of absolute paths", pattern), "such as /usr/local/share/*"})
		}
	}
	if rules := in.ExtensionRules; rules.MaxBytes < 0 || rules.MaxFiles < 0 {
		out = append(out, fault{"input.extensionRules", "a limit below 0", "leave maxBytes and maxFiles out for the usual ones"})
	}
	return out
}

func metaFaults(metas []Meta) []fault {
	var out []fault
	for i, m := range metas {
		path := fmt.Sprintf("customization.metaContents[%d]", i)
		if m.Key == 0 {
			out = append(out, fault{path + ".key", "0 is not a key", "keys are 1 to 255"})
		}
		if strings.ContainsAny(m.Value, ";\x00") {
			out = append(out, fault{path + ".value", "a value on the kernel command line cannot hold a semicolon or a NUL byte", ""})
		}
	}
	return out
}

// wholeFaults are what p lacks to be complete, and what in it does not go together.
func (p *Profile) wholeFaults() []fault {
	var out []fault
	refuse := func(when bool, path, format string, args ...any) {
		if when {
			out = append(out, fault{path, fmt.Sprintf(format, args...), ""})
		}
	}
	const required = "required, and neither given nor inherited"
	refuse(p.Arch == "", "arch", required)
	refuse(p.Platform == "", "platform", required)
	refuse(p.Output.Kind == "", "output.kind", required)
	if len(out) > 0 {
		return out
	}
	k, name := kinds()[p.Output.Kind], p.Output.Kind
	const unsupported, unused = "customization of %s is not supported for %s output", "not used for %s output"
	refuse(!k.cmdline && len(p.Customization.ExtraKernelArgs) > 0, "customization.extraKernelArgs", unsupported, "kernel args", name)
	refuse(!k.cmdline && len(p.Customization.MetaContents) > 0, "customization.metaContents", unsupported, "META", name)
	refuse(name == "installer" && len(p.Customization.MetaContents) > 0, "customization.metaContents", unsupported, "META", name) // its --meta does it
	const machineConfig = "customization.machineConfig"
	c := p.Customization.MachineConfig
	refuse(!k.embeds && c.Given(), machineConfig, unsupported, "machine configuration", name)
	refuse(k.embeds && !k.config && c.Given() && c.Embed == "", machineConfig, "%s output has no place for it but the initramfs; set embed: initramfs", name)
	refuse(c.Path != "" && c.Inline != "", machineConfig, "path and inline are both given")
	refuse(!c.Given() && len(c.Patches) > 0, machineConfig+".patches", "there is no configuration to patch")
	refuse(!c.Given() && c.Embed != "", machineConfig+".embed", "there is no configuration to embed")
	refuse(!k.room && c.Room != 0, machineConfig+".room", unused, name)
	input := func(field string, f File) {
		refuse(f != (File{}) && !slices.Contains(k.inputs, field), "input."+field, unused, name)
	}
	input("kernel", p.Input.Kernel)
	input("sdStub", p.Input.SDStub)
	input("sdBoot", p.Input.SDBoot)
	refuse(!k.embeds && len(p.Input.SystemExtensions) > 0, "input.systemExtensions", unused, name)
	rules := p.Input.ExtensionRules
	refuse(len(p.Input.SystemExtensions) == 0 && (rules.TalosVersion != "" || rules.SignedModules || rules.MayReplace != nil || rules.MaxBytes != 0 || rules.MaxFiles != 0), "input.extensionRules", "there are no extensions")
	refuse(p.Output.OutFormat != "" && p.Output.OutFormat != "raw" && name != "image", "output.outFormat", "%s output is raw", name)
	refuse(p.Output.ImageOptions != ImageOptions{} && k.options != "imageOptions", "output.imageOptions", unused, name)
	out = append(out, p.imageWholeFaults()...)
	refuse(p.Output.ISOOptions != ISOOptions{} && k.options != "isoOptions", "output.isoOptions", unused, name)
	refuse(p.Output.PXEOptions != PXEOptions{} && k.options != "pxeOptions", "output.pxeOptions", unused, name)
	keys := map[uint8]bool{}
	for _, m := range p.Customization.MetaContents {
		refuse(keys[m.Key], "customization.metaContents", "key %d is there twice", m.Key)
		keys[m.Key] = true
	}
	if _, err := p.Cmdline(); err != nil && len(out) == 0 {
		out = append(out, fault{"customization", err.Error(), report.HintOf(err)})
	}
	return out
}
