package tar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// The limits where ReadOptions names none.
const (
	DefaultMaxFiles = 1 << 20
	DefaultMaxBytes = 256 << 20
)

const (
	maxPath     = 4096 // bytes of a path or a link's target, as in Linux
	permissions = 0o7777
	regular     = 0o100000 // st_mode's type bits of a file
)

// ReadOptions of Read and ReadBlob; the zero value works.
type ReadOptions struct {
	MaxFiles int // most files and folders, implied ones included; zero means DefaultMaxFiles

	// MaxBytes is the most bytes of contents and extended attributes; zero means DefaultMaxBytes, and for ReadBlob the
	// archive's size if that is more.
	MaxBytes int64

	// Spool keeps the size bytes of r, content of the file at path name, and returns them as a Blob. Nil keeps them in
	// memory. ReadBlob calls it only for sparse files.
	Spool func(name string, size int64, r io.Reader) (blob.Blob, error)
}

// Read reads the archive in r into a tree. Absolute names are taken as relative. A name or the target of a hard link
// that leaves the tree or leads through a symbolic link is Invalid, for it would name a file elsewhere; where symbolic
// links point is not looked at. A hard link has the content of its target, which must come before it. A later file
// replaces an earlier one of its name. What passes a limit is Unsupported.
//
// Reading stops at the archive's end mark, or at the end of r: a caller who checks a digest of r must read the rest.
func Read(r io.Reader, o ReadOptions) (*tree.Tree, error) {
	src := &source{r: r}
	rd := newReader(src, src, o)
	return rd.read(rd.spool)
}

// ReadBlob is Read for an archive at hand: contents are slices of b, and nothing but sparse files is copied.
func ReadBlob(b blob.Blob, o ReadOptions) (*tree.Tree, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = max(b.Size(), DefaultMaxBytes)
	}
	section := blob.Reader(b)
	src := &source{r: section}
	// Package archive/tar seeks past contents where it can.
	rd := newReader(src, struct {
		io.Reader
		io.Seeker
	}{src, section}, o)
	return rd.read(func(h *tar.Header, p string) (blob.Blob, error) {
		if isSparse(h) {
			return rd.spool(h, p)
		}
		off, err := section.Seek(0, io.SeekCurrent) // it has read the header, and nothing ahead
		if err != nil {
			return nil, err
		}
		if h.Size > b.Size()-off {
			return nil, report.Errorf(report.Invalid, "cut short: %d bytes of content, %d are left", h.Size, b.Size()-off)
		}
		return blob.Slice(b, off, h.Size), nil
	})
}

// source keeps the error of the reader below, which is not the archive's fault.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// reader is the work of one Read.
type reader struct {
	tar   *tar.Reader
	src   *source
	opts  ReadOptions
	tree  tree.Tree
	bytes int64 // of contents and extended attributes so far
}

func newReader(src *source, r io.Reader, o ReadOptions) *reader {
	if o.MaxFiles == 0 {
		o.MaxFiles = DefaultMaxFiles
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Spool == nil {
		o.Spool = inMemory
	}
	return &reader{tar: tar.NewReader(r), src: src, opts: o}
}

// read adds every file; content gets that of a regular one at path p.
func (r *reader) read(content func(h *tar.Header, p string) (blob.Blob, error)) (*tree.Tree, error) {
	for files := 1; ; files++ {
		h, err := r.tar.Next()
		if err == io.EOF {
			return &r.tree, nil
		}
		// Whether Next reports ErrInsecurePath depends on the environment; names are checked here anyway.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("tar: file %d: %w", files, r.blame(err))
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := r.add(h, content); err != nil {
			return nil, fmt.Errorf("tar: %.200s: %w", h.Name, err)
		}
	}
}

// blame makes err Invalid unless the reader below is its cause.
func (r *reader) blame(err error) error {
	switch {
	case r.src.err != nil:
		return r.src.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return report.Errorf(report.Invalid, "cut short")
	}
	return report.Errorf(report.Invalid, "%w", err)
}

func (r *reader) add(h *tar.Header, content func(*tar.Header, string) (blob.Blob, error)) error {
	p, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	n, err := r.node(h, p)
	if err != nil {
		return err
	}
	if err := r.count(h); err != nil {
		return err
	}
	if hasContent(h) && h.Size > 0 {
		if n.Content, err = content(h, p); err != nil {
			return err
		}
	}
	if err := r.tree.Add(n); err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	if r.tree.Len() > r.opts.MaxFiles {
		return report.Errorf(report.Unsupported, "more than %d files and folders", r.opts.MaxFiles)
	}
	return nil
}

// node is what h says of the file at p, without the content that follows it.
func (r *reader) node(h *tar.Header, p string) (tree.Node, error) {
	n := tree.Node{Path: p, UID: uint32(h.Uid), GID: uint32(h.Gid), ModTime: h.ModTime.UTC(), Xattrs: xattrs(h)}
	if int64(n.UID) != int64(h.Uid) || int64(n.GID) != int64(h.Gid) {
		return n, report.Errorf(report.Invalid, "owner %d:%d", h.Uid, h.Gid)
	}
	n.Mode = tree.FileMode(uint32(h.Mode&permissions) | regular)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
	case tar.TypeLink:
		return r.hardLink(h, p)
	case tar.TypeDir:
		n.Mode |= fs.ModeDir
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) >= maxPath {
			return n, report.Errorf(report.Invalid, "a link whose target has %d bytes", len(h.Linkname))
		}
		n.Mode, n.Link = n.Mode|fs.ModeSymlink, h.Linkname
	case tar.TypeBlock, tar.TypeChar:
		n.Mode |= fs.ModeDevice
		if h.Typeflag == tar.TypeChar {
			n.Mode |= fs.ModeCharDevice
		}
		if n.Major, n.Minor = uint32(h.Devmajor), uint32(h.Devminor); int64(n.Major) != h.Devmajor || int64(n.Minor) != h.Devminor {
			return n, report.Errorf(report.Invalid, "device number %d,%d", h.Devmajor, h.Devminor)
		}
	case tar.TypeFifo:
		n.Mode |= fs.ModeNamedPipe
	default:
		return n, report.Errorf(report.Unsupported, "an entry of type %q", h.Typeflag)
	}
	return n, nil
}

// hardLink is the target of h under another path.
func (r *reader) hardLink(h *tar.Header, p string) (tree.Node, error) {
	target, err := cleanPath(h.Linkname)
	if err != nil {
		return tree.Node{}, err
	}
	n := r.tree.Get(target)
	if n == nil || n.Mode.IsDir() {
		return tree.Node{}, report.Errorf(report.Invalid, "a hard link to %s, which is no file before it in the archive", target)
	}
	linked := *n
	linked.Path = p
	return linked, nil
}

// count adds what h brings to what the limits bound.
func (r *reader) count(h *tar.Header) error {
	var size int64
	if hasContent(h) {
		size = h.Size
	}
	for k, v := range h.PAXRecords {
		size += int64(len(k) + len(v))
	}
	if size > r.opts.MaxBytes-r.bytes {
		return report.Errorf(report.Unsupported, "its %d bytes make the archive's contents more than the limit of %d", size, r.opts.MaxBytes)
	}
	r.bytes += size
	return nil
}

// spool hands the content of h to the caller.
func (r *reader) spool(h *tar.Header, p string) (blob.Blob, error) {
	b, err := r.opts.Spool(p, h.Size, contents{r})
	if err != nil {
		return nil, err
	}
	if b.Size() != h.Size {
		return nil, fmt.Errorf("%d of its %d bytes were kept", b.Size(), h.Size)
	}
	return b, nil
}

// contents reads the current file.
type contents struct{ r *reader }

func (c contents) Read(p []byte) (int, error) {
	n, err := c.r.tar.Read(p)
	if err != nil && err != io.EOF {
		err = c.r.blame(err)
	}
	return n, err
}

// inMemory grows with what is there, not with what a header claims.
func inMemory(_ string, _ int64, r io.Reader) (blob.Blob, error) {
	p, err := io.ReadAll(r)
	return blob.Bytes(p), err
}

func cleanPath(name string) (string, error) {
	if len(name) > maxPath {
		return "", report.Errorf(report.Unsupported, "a path of %d bytes; up to %d work", len(name), maxPath)
	}
	p, err := tree.CleanPath(name)
	if err != nil {
		return "", report.Errorf(report.Invalid, "%w", err)
	}
	return p, nil
}

func xattrs(h *tar.Header) map[string]string {
	var out map[string]string
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, xattrPrefix); ok && name != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = v
		}
	}
	return out
}

// hasContent tells files from what has a header only, whatever size that says.
func hasContent(h *tar.Header) bool {
	return h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeCont || h.Typeflag == tar.TypeGNUSparse
}

// isSparse tells files whose content is not in the archive as it is.
func isSparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}
