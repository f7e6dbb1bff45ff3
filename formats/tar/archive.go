package tar

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// File is a regular file of an Archive, or without content a folder.
type File struct {
	Name    string // of a folder, with a slash at its end
	Content blob.Blob
	Mode    fs.FileMode // permissions; 0 means 0644
	Owner   int         // user and group
}

// Archive lays out an archive of files in the order given, which some readers care for (an OVA begins with its
// description), without reading them: headers around references. Its headers are those of POSIX.1-1988 (ustar), and
// GNU's for a file of 8 GiB or more.
func Archive(files []File, o Options) (*blob.Image, error) {
	var parts []blob.Extent
	var size int64
	add := func(e blob.Extent) {
		parts = append(parts, e)
		size += e.Blob.Size()
	}
	for _, f := range files {
		head, err := archiveHeader(f, o)
		if err != nil {
			return nil, fmt.Errorf("tar: %s: %w", f.Name, err)
		}
		add(blob.Part(f.Name+".header", blob.Bytes(head)))
		if f.Content != nil {
			add(blob.Part(f.Name, f.Content))
			add(blob.Padding(size, blockSize))
		}
	}
	add(blob.Part("end", blob.Zeros(2*blockSize)))
	return blob.Concat(parts...), nil
}

const blockSize = 512

func archiveHeader(f File, o Options) ([]byte, error) {
	h := &tar.Header{Typeflag: tar.TypeDir, Name: f.Name, Mode: int64(cmp.Or(f.Mode, 0o644)), Uid: f.Owner, Gid: f.Owner, ModTime: o.Epoch, Format: tar.FormatUSTAR}
	if f.Content != nil {
		h.Typeflag, h.Size = tar.TypeReg, f.Content.Size()
	}
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(0, 0)
	}
	if h.Size >= 8<<30 {
		h.Format = tar.FormatGNU
	}
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(h)
	return b.Bytes(), err
}
