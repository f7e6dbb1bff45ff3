// Package embedded carries the init and the installer of every architecture inside the bootwright binary, so that building an asset
// needs no compiler. `make build` compiles cmd/init and cmd/installer and leaves the binaries in this folder before it compiles
// bootwright.
package embedded

import (
	"embed"
	"errors"
	"io"
	"io/fs"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

//go:embed *
var files embed.FS

// Init is the static init for arch ("amd64" or "arm64"), as an ELF file.
func Init(arch string) (blob.Blob, error) { return program("init", arch) }

// Installer is the static installer for arch, likewise.
func Installer(arch string) (blob.Blob, error) { return program("installer", arch) }

func program(name, arch string) (blob.Blob, error) {
	f, err := files.Open(name + "-" + arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, report.WithHint(report.Errorf(report.Unsupported, "this bootwright was built without its %s for %s", name, arch),
			"build it with `make build`, which compiles the %s first", name)
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// Every file of an embed.FS is a ReaderAt; ReadFile would copy it.
	return io.NewSectionReader(f.(io.ReaderAt), 0, st.Size()), nil
}
