package tar

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// xattrPrefix comes before the name of an extended attribute in a pax record.
const xattrPrefix = "SCHILY.xattr."

const maxDevice = 0o7777777 // of the header's seven octal digits

// Options of Write; the zero value works.
type Options struct {
	Epoch time.Time // modification time of nodes that have none; zero means 1970-01-01
}

// Write writes t to w, every folder before what is in it, contents included. The same tree gives the same bytes. An
// error names the file it concerns; what was written until then is no archive.
func Write(w io.Writer, t *tree.Tree, o Options) error {
	tw := tar.NewWriter(w)
	for _, n := range t.Nodes() {
		if err := writeNode(tw, n, o); err != nil {
			return fmt.Errorf("tar: %s: %w", n.Path, err)
		}
	}
	return tw.Close()
}

func writeNode(tw *tar.Writer, n *tree.Node, o Options) error {
	h, err := header(n, o)
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if done, err := io.Copy(tw, io.LimitReader(blob.Reader(n.Open()), h.Size)); err != nil {
		return err
	} else if done < h.Size {
		return fmt.Errorf("%d of %d bytes: %w", done, h.Size, io.ErrUnexpectedEOF)
	}
	return nil
}

func header(n *tree.Node, o Options) (*tar.Header, error) {
	h := &tar.Header{
		Format: tar.FormatPAX, Name: n.Path, ModTime: n.ModTime,
		Mode: int64(tree.UnixMode(n.Mode) & permissions), Uid: int(n.UID), Gid: int(n.GID),
	}
	if h.ModTime.IsZero() {
		h.ModTime = o.Epoch
	}
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(0, 0)
	}
	switch n.Mode.Type() {
	case 0:
		h.Typeflag, h.Size = tar.TypeReg, n.Size()
	case fs.ModeDir:
		h.Typeflag, h.Name = tar.TypeDir, n.Path+"/"
	case fs.ModeSymlink:
		if n.Link == "" || strings.Contains(n.Link, "\x00") {
			return nil, report.Errorf(report.Invalid, "a link to %q", n.Link)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.Link
	case fs.ModeDevice:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeBlock, int64(n.Major), int64(n.Minor)
	case fs.ModeDevice | fs.ModeCharDevice:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(n.Major), int64(n.Minor)
	case fs.ModeNamedPipe:
		h.Typeflag = tar.TypeFifo
	default:
		return nil, report.Errorf(report.Unsupported, "a tar archive cannot hold a file of type %s", n.Mode.Type())
	}
	if h.Devmajor > maxDevice || h.Devminor > maxDevice {
		return nil, report.Errorf(report.Unsupported, "a tar archive holds device numbers up to %d, not %d,%d", maxDevice, n.Major, n.Minor)
	}
	return h, addRecords(h, n)
}

// addRecords adds what needs pax records that package archive/tar does not make by itself.
func addRecords(h *tar.Header, n *tree.Node) error {
	h.PAXRecords = map[string]string{}
	if !utf8.ValidString(h.Name) || !utf8.ValidString(h.Linkname) {
		h.PAXRecords["hdrcharset"] = "BINARY" // POSIX has names in UTF-8 otherwise
	}
	for name, value := range n.Xattrs {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return report.Errorf(report.Unsupported, "a tar archive cannot hold an extended attribute called %q", name)
		}
		h.PAXRecords[xattrPrefix+name] = value
	}
	return nil
}
