package builder

import (
	"maps"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/result"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// recipe is one output kind: the only place where a decision on the kind is taken.
type recipe struct {
	version int      // raised whenever the same plan would give other bytes
	parts   []string // titles of the base's parts that it reads
	amd64   []string // the same, on amd64 only
	init    bool     // whether it holds an initramfs
	area    bool     // whether it reserves an area for machine configurations
	meta    bool     // whether it has a META partition

	installer bool // whether it holds the installer's program
	make      func(*kit) ([]File, error)
}

// recipes is the table of kinds; a new kind is a row here and a recipe_KIND.go beside the others.
func recipes() map[string]recipe {
	kernel := []string{base.Kernel}
	initrd := []string{base.Early, base.Root}
	uki := slices.Concat(kernel, initrd, []string{base.SystemdStub})
	grub := []string{base.GRUBElTorito, base.GRUBHybrid}
	diskGRUB := []string{base.GRUBBoot, base.GRUBCore}
	return map[string]recipe{
		"cmdline":   {version: 1, make: makeCmdline},
		"image":     {version: 1, parts: slices.Concat(uki, []string{base.SystemdBoot}), amd64: diskGRUB, init: true, area: true, meta: true, make: makeImage},
		"initramfs": {version: 1, parts: initrd, init: true, make: makeInitramfs},
		"installer": {version: 1, parts: slices.Concat(uki, []string{base.SystemdBoot}), amd64: diskGRUB, init: true, installer: true, make: makeInstaller},
		"iso":       {version: 3, parts: slices.Concat(uki, []string{base.SystemdBoot}), amd64: slices.Concat(grub, diskGRUB), init: true, area: true, make: makeISO},
		"kernel":    {version: 1, parts: kernel, make: makeKernel},
		"pxe":       {version: 1, parts: slices.Concat(kernel, initrd), init: true, make: makePXE},
		"uki":       {version: 1, parts: uki, init: true, make: makeUKIFile},
	}
}

// The inputs that are no parts of a base.
const (
	inputInit     = "init"
	inputConfig   = "config"          // the area of machine configurations
	inputEmbedded = "embedded-config" // the one in the initramfs

	inputInstaller = "installer" // the program
)

func recipeFor(kind string) (recipe, error) {
	table := recipes()
	r, ok := table[kind]
	if !ok {
		kinds := slices.Sorted(maps.Keys(table))
		return r, report.Errorf(report.Unsupported, "unknown output kind %q; this bootwright makes %s", kind, strings.Join(kinds, ", "))
	}
	return r, nil
}

// needs are the titles of the base's parts that the recipe reads for arch.
func (r recipe) needs(arch string) []string {
	if arch == "amd64" {
		return slices.Concat(r.parts, r.amd64)
	}
	return slices.Clone(r.parts)
}

// inputs are all inputs that the recipe reads for arch.
func (r recipe) inputs(arch string) []string {
	out := r.needs(arch)
	if r.init {
		out = append(out, inputInit)
	}
	if r.installer {
		out = append(out, inputInstaller)
	}
	if r.area {
		out = append(out, inputConfig)
	}
	return out
}

// File is one file of an artifact.
type File struct {
	Name      string // without folders
	MediaType string
	Blob      blob.Blob
}

// Artifact is what a plan builds: described, and not written anywhere yet.
type Artifact struct {
	Plan  *Plan
	Files []File // one, except for kinds that are a set, such as pxe

	Images []oci.Image // of kind installer, which Files have as an archive; one an architecture

	secrets []blob.Blob // machine configurations, which may lie in Files
}

// Preview describes the artifact: sizes and extent maps, which cost no reading.
func (a *Artifact) Preview(pieces []result.Piece) Preview {
	r := result.Result{Digest: a.Plan.Digest(), Pieces: pieces}
	for _, f := range a.Files {
		r.Files = append(r.Files, result.Describe(f.Name, f.Blob))
	}
	return Preview{Plan: *a.Plan, Result: r}
}
