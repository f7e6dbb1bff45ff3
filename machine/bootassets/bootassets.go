// Package bootassets is what an installer brings for one architecture: the files from which it lays out what a machine boots.
// They are kept in pieces, not as a UKI, so that installers of one base share the large ones, and so that kernel arguments of a
// machine become part of what it boots.
//
// The initramfs is in three files: the base's root image as it is, what comes before it, and what comes behind.
package bootassets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/meta"
)

// Folder holds a folder for each architecture, in an installer's root file system and in an ISO.
const Folder = "usr/install"

// The files. Those of GRUB exist on amd64 only.
const (
	DescriptionFile = "assets.json"
	Kernel          = "vmlinuz"
	Head            = "initramfs.head"
	Root            = "rootfs.sqsh"
	Tail            = "initramfs.tail"
	SDBoot          = "systemd-boot.efi"
	Stub            = "systemd-stub.efi"
	GRUBBoot        = "grub-boot.img"
	GRUBCore        = "grub-core.img"
)

// Description says what the files are.
type Description struct {
	Version       string                 `json:"version"`
	Arch          string                 `json:"arch"`
	Platform      string                 `json:"platform"`
	KernelVersion string                 `json:"kernelVersion"`
	Cmdline       string                 `json:"cmdline"` // without what a machine adds
	Epoch         int64                  `json:"epoch"`   // of the build, seconds since 1970
	Digests       map[string]blob.Digest `json:"digests"` // of every file but this one
}

// Assets are the files of one installer. Their Blobs can be read until Close.
type Assets struct {
	Description
	files map[string]blob.Blob
	close []func() error
}

// New describes files by name. It reads them, for their digests, except those that known has.
func New(ctx context.Context, d Description, files map[string]blob.Blob, known map[string]blob.Digest) (*Assets, error) {
	d.Digests = map[string]blob.Digest{}
	for name, content := range files {
		digest, ok := known[name]
		if !ok {
			var err error
			if digest, err = blob.Sum(ctx, content); err != nil {
				return nil, err
			}
		}
		d.Digests[name] = digest
	}
	return &Assets{Description: d, files: files}, nil
}

// maxDescription bounds the description, in bytes.
const maxDescription = 1 << 20

// Open opens the files in the folder dir, such as /usr/install/amd64. It reads the description only; Verify reads the rest. The error
// is NotFound where there is none, and Invalid where one is damaged or a file is missing.
func Open(dir string) (*Assets, error) {
	a := &Assets{}
	err := a.load(dir, func(name string) (blob.Blob, error) {
		f, err := blob.OpenFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		a.close = append(a.close, f.Close)
		return f, nil
	})
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Read is Open for a folder of a medium that was read. Close does nothing then.
func Read(medium *tree.Tree, dir string) (*Assets, error) {
	a := &Assets{}
	err := a.load(dir, func(name string) (blob.Blob, error) {
		n := medium.Get(path.Join(dir, name))
		if n == nil || !n.Mode.IsRegular() {
			return nil, &fs.PathError{Op: "open", Path: path.Join(dir, name), Err: fs.ErrNotExist}
		}
		return n.Open(), nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// load reads the description, and opens the files that it names.
func (a *Assets) load(dir string, open func(name string) (blob.Blob, error)) error {
	text, err := open(DescriptionFile)
	if err != nil {
		return report.WithHint(report.Errorf(report.NotFound, "no boot assets: %w", err), "name the folder of an installer's files, such as /%s/amd64", Folder)
	}
	p, err := blob.ReadAll(text, maxDescription)
	if err == nil {
		err = json.Unmarshal(p, &a.Description)
	}
	if err != nil {
		return report.Errorf(report.Invalid, "%s: %w", path.Join(dir, DescriptionFile), err)
	}
	a.files = map[string]blob.Blob{}
	for name, digest := range a.Digests {
		if _, err := blob.ParseDigest(string(digest)); err != nil || path.Base(name) != name {
			return report.Errorf(report.Invalid, "%s: file %.100q with digest %.100q", path.Join(dir, DescriptionFile), name, digest)
		}
		if a.files[name], err = open(name); err != nil {
			return report.Errorf(report.Invalid, "boot assets: %w", err)
		}
	}
	for _, name := range []string{Kernel, Head, Root, Tail, SDBoot, Stub} {
		if a.files[name] == nil {
			return report.Errorf(report.Invalid, "the boot assets in %s have no %s", dir, name)
		}
	}
	return nil
}

// Close closes the files.
func (a *Assets) Close() error {
	var errs []error
	for _, c := range a.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Verify reads every file and compares it with the description: an installer that arrived damaged is found before anything is
// written. The error is Invalid.
func (a *Assets) Verify(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(a.Digests)) {
		got, err := blob.Sum(ctx, a.files[name])
		if err != nil {
			return err
		}
		if got != a.Digests[name] {
			return report.Errorf(report.Invalid, "%s is damaged: its digest is %s, not %s", name, got, a.Digests[name])
		}
	}
	return nil
}

// AddTo adds the files to a medium, where Read finds them in the folder of their architecture.
func (a *Assets) AddTo(medium *tree.Tree) {
	for name, content := range a.files {
		medium.File(path.Join(Folder, a.Arch, name), 0o444, content)
	}
	medium.File(path.Join(Folder, a.Arch, DescriptionFile), 0o444, a.Text())
}

// File is the file called name, nil where there is none.
func (a *Assets) File(name string) blob.Blob { return a.files[name] }

// Installed is d of what is installed, where d is that of an installation medium: its kernel arguments are without those that are for
// the medium alone, which are halting where there is a system, wiping, and what is to be in META.
func (d Description) Installed() Description {
	args := cmdline.Parse(d.Cmdline)
	d.Cmdline = slices.DeleteFunc(args, func(a cmdline.Arg) bool {
		return a.Key == cmdline.HaltIfInstalled || a.Key == cmdline.Wipe || a.Key == cmdline.Environment && strings.HasPrefix(a.Value, meta.ArgumentName+"=")
	}).String()
	return d
}

// Text is the description as its file has it.
func (d *Description) Text() blob.Blob {
	p, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic("bootassets: a description is plain data: " + err.Error())
	}
	return blob.Bytes(append(p, '\n'))
}

// Time is the time of the build.
func (d *Description) Time() time.Time { return time.Unix(d.Epoch, 0).UTC() }

// ID names what boots with the kernel command line cmdline, by content: 12 hexadecimal digits. The same files and arguments
// have the same.
func (d *Description) ID(cmdline string) string {
	p, err := json.Marshal(struct {
		*Description
		Boots string
	}{d, cmdline})
	if err != nil {
		panic("bootassets: a description is plain data: " + err.Error())
	}
	return blob.SumBytes(p).Hex()[:12]
}

// Initramfs is the whole initramfs.
func (a *Assets) Initramfs() *blob.Image {
	return blob.Concat(blob.Part("head", a.files[Head]), blob.Part("root", a.files[Root]), blob.Part("tail", a.files[Tail]))
}

// Split cuts an initramfs into what comes before the root image and what comes behind. It panics where the root is not in it: it is
// part of every initramfs.
func Split(initramfs *blob.Image, root blob.Blob) (head, tail blob.Blob) {
	at, ok := blob.Locate(initramfs, root)
	if !ok {
		panic("bootassets: an initramfs without its root image")
	}
	end := at + root.Size()
	return blob.Slice(initramfs, 0, at), blob.Slice(initramfs, end, initramfs.Size()-end)
}

// UKI is the unified kernel image (UAPI.5) that boots with cmdline: the EFI stub with everything that boots as its sections.
func (a *Assets) UKI(cmdline string) (*blob.Image, error) {
	return a.Description.UKI(a.files[Stub], a.files[Kernel], a.Initramfs(), cmdline)
}

// UKI is that of files that are at hand.
func (d *Description) UKI(stub, kernel, initramfs blob.Blob, cmdline string) (*blob.Image, error) {
	return pe.Format(stub, []pe.Section{
		{Name: ".osrel", Content: blob.String(d.osRelease())},
		{Name: ".cmdline", Content: blob.String(cmdline)},
		{Name: ".uname", Content: blob.String(d.KernelVersion)},
		{Name: ".initrd", Content: initramfs},
		{Name: ".linux", Content: kernel},
	}, pe.Options{})
}

// osRelease is what boot menus show and sort by (os-release(5)).
func (d *Description) osRelease() string {
	return fmt.Sprintf("ID=bootwright\nNAME=bootwright\nPRETTY_NAME=%q\nVERSION_ID=%q\n", "bootwright "+d.Version+" ("+d.Platform+")", d.Version)
}
