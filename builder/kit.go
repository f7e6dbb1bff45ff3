package builder

import (
	"context"
	"strings"

	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/initramfs"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/release"
)

// kit is what a recipe works with: the plan, and its inputs opened and verified.
type kit struct {
	ctx    context.Context
	plan   *Plan
	inputs map[string]blob.Blob
	spool  initramfs.Spooler

	extended *extend.Result // nil without extensions

	// What recipes name twice is made once, so that it shares its bytes.
	composed *blob.Image // the initramfs
	configs  *bake.Archive

	images []oci.Image // what makeInstaller made
}

// part is an input by name. That the recipe's needs are there was checked before.
func (k *kit) part(name string) blob.Blob { return k.inputs[name] }

// place is how a person calls the input called name: by its file, or as the base's.
func (k *kit) place(name string) string {
	in, _ := k.plan.Input(name)
	if path, isFile := strings.CutPrefix(in.Source, sourceFile); isFile {
		return path
	}
	return "the base's " + name
}

// target is how assets are called: for which platform and architecture they are.
func (k *kit) target() string { return k.plan.Platform + "-" + k.plan.Arch }

// grubMenu is that of a medium with one system.
func (k *kit) grubMenu() string {
	return grub.NewMenu(grub.Entry{
		Title: "bootwright " + k.plan.Version, Cmdline: k.plan.Cmdline, Kernel: "boot/vmlinuz", Initrds: []string{"boot/initramfs.img", bake.ISOPath},
	}).String()
}

func (k *kit) initramfs() (*blob.Image, error) {
	if k.composed != nil {
		return k.composed, nil
	}
	var extensions *initramfs.Extensions
	var err error
	if k.extended != nil {
		if extensions, err = k.extended.Initramfs(k.ctx, k.spool); err != nil {
			return nil, err
		}
	}
	k.composed, err = initramfs.Compose(k.ctx, initramfs.Parts{
		Early: k.piece(base.Early),
		Init:  k.piece(inputInit),
		Root:  k.piece(base.Root),

		Extensions: extensions,
		Documents:  k.inputs[inputEmbedded],
		Release: release.Release{
			Version: k.plan.Version,
			Epoch:   k.plan.Time(),
			Base:    k.plan.Base.Name + " " + k.plan.Base.Version,
		},
	}, k.spool)
	return k.composed, err
}

func (k *kit) piece(name string) initramfs.Piece {
	in, _ := k.plan.Input(name)
	return initramfs.Piece{Blob: k.inputs[name], Digest: in.Digest}
}
