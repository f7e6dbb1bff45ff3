package base

import (
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/linux"
	"github.com/bootwright/bootwright/formats/pe"
	"github.com/bootwright/bootwright/internal/report"
)

// CheckPart wants of a file that takes the place of the part called title, the kernel or an EFI program, that it is for arch, and that a kernel
// is the release that the base's modules are for. The error is Invalid.
func CheckPart(title string, content blob.Blob, arch, release string) error {
	if title == Kernel {
		return checkKernel(content, arch, release)
	}
	return checkEFI(content, arch)
}

func checkKernel(content blob.Blob, arch, release string) error {
	k, err := linux.Read(content)
	switch {
	case err != nil:
		return report.Errorf(report.Invalid, "%w", err)
	case k.Arch != arch:
		return report.Errorf(report.Invalid, "a kernel for %s, and the profile wants %s", k.Arch, arch)
	case k.Release != release:
		return report.WithHint(report.Errorf(report.Invalid, "Linux %s, and the modules in the base are for %s", k.Release, release),
			"make a base with that kernel, so that kernel and modules fit")
	}
	return nil
}

func checkEFI(content blob.Blob, arch string) error {
	f, err := pe.Read(content)
	switch {
	case err != nil:
		return report.Errorf(report.Invalid, "%w", err)
	case f.Subsystem != pe.EFIApplication:
		return report.Errorf(report.Invalid, "a PE file of subsystem %d, which is no EFI application", f.Subsystem)
	case f.Machine.String() != arch:
		return report.Errorf(report.Invalid, "an EFI program for %s, and the profile wants %s", f.Machine, arch)
	}
	return nil
}
