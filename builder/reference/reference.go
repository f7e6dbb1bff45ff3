// Package reference reads and writes the names of images:
//
//	oci:DIR[:TAG]        an OCI image layout
//	tar:FILE[:TAG]       such a layout in a tar archive, or what `docker save` writes
//	dir:DIR              a folder of parts
//	HOST/REPO[:TAG]      a registry, over TLS; docker:// may precede it
//	http://HOST/REPO…    the same for a registry without TLS
//
// Each may end in @sha256:HEX, which pins it. The grammar of names in registries is that of the OCI distribution-spec 1.1.
// What a name means is asked by builder/fetch; this package looks at nothing but, for a hint, whether a file exists.
package reference

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Scheme says where a reference points.
type Scheme string

// The schemes.
const (
	Registry  Scheme = "docker" // a registry over TLS
	PlainHTTP Scheme = "http"   // a registry without TLS
	Layout    Scheme = "oci"    // a folder with an OCI image layout
	Archive   Scheme = "tar"    // a tar archive of an OCI image layout or from docker save
	Folder    Scheme = "dir"    // a folder of parts
)

// Reference names an image.
type Reference struct {
	Scheme Scheme
	Name   string      // HOST/REPOSITORY, or a path as it was written
	Tag    string      // may be empty: "latest" in a registry, the only image in a layout
	Digest blob.Digest // of a manifest or index; may be empty, and comes before Tag
}

// Parse reads a reference; see the package for the forms.
func Parse(s string) (Reference, error) {
	r := Reference{Scheme: Registry, Name: s}
	for _, p := range []struct {
		prefix string
		scheme Scheme
	}{{"oci:", Layout}, {"tar:", Archive}, {"dir:", Folder}, {"docker://", Registry}, {"http://", PlainHTTP}} {
		if rest, ok := strings.CutPrefix(s, p.prefix); ok {
			r = Reference{Scheme: p.scheme, Name: rest}
		}
	}
	err := r.split()
	if err == nil && r.Remote() {
		err = r.checkRepository()
	}
	if err != nil {
		return Reference{}, Suggest(report.Errorf(report.Invalid, "reference %.300q: %w", s, err), s)
	}
	return r, nil
}

// split takes digest and tag off the end of the name.
func (r *Reference) split() error {
	if i := strings.LastIndex(r.Name, "@sha256:"); i >= 0 {
		d, err := blob.ParseDigest(r.Name[i+1:])
		if err != nil {
			return err
		}
		r.Name, r.Digest = r.Name[:i], d
	}
	if i := strings.LastIndexByte(r.Name, ':'); i > strings.LastIndexByte(r.Name, '/') && r.Scheme != Folder {
		r.Name, r.Tag = r.Name[:i], r.Name[i+1:]
		if !validTag(r.Tag) {
			return report.Errorf(report.Invalid, "%q is not a tag; it should be up to 128 letters, digits, '_', '.' and '-'", r.Tag)
		}
	}
	if r.Name == "" || strings.ContainsRune(r.Name, 0) {
		return report.Errorf(report.Invalid, "it names nothing")
	}
	return nil
}

// checkRepository wants the host written out, as a name without one may well be a path.
func (r *Reference) checkRepository() error {
	host, repository, _ := strings.Cut(r.Name, "/")
	if strings.HasPrefix(host, ".") || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return report.Errorf(report.Invalid, "it does not begin with a registry's host, such as docker.io/, nor with oci:, tar: or dir:")
	}
	if _, err := r.Repository(false); err != nil {
		return err
	}
	return tree.CheckPath(repository)
}

// Repository is the name as the registry client has it.
func (r Reference) Repository(insecure bool) (name.Repository, error) {
	opts := []name.Option{name.WeakValidation}
	if insecure {
		opts = append(opts, name.Insecure)
	}
	return name.NewRepository(r.Name, opts...)
}

// Remote reports whether a registry serves the image.
func (r Reference) Remote() bool { return r.Scheme == Registry || r.Scheme == PlainHTTP }

// TagOrLatest is the tag that a registry is asked for.
func (r Reference) TagOrLatest() string { return cmp.Or(r.Tag, "latest") }

func validTag(s string) bool {
	for i, c := range s {
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
		if !alnum && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// Suggest adds a hint where the reference is something on disk that lacks its scheme.
func Suggest(err error, path string) error {
	info, serr := os.Stat(path)
	if serr != nil {
		return err
	}
	scheme := Archive
	if info.IsDir() {
		scheme = Folder
		if _, serr := os.Stat(filepath.Join(path, "index.json")); serr == nil {
			scheme = Layout
		}
	}
	return report.WithHint(err, "%s is on disk; did you mean %s:%s?", path, scheme, path)
}

// String is the reference as Parse reads it.
func (r Reference) String() string {
	s := string(r.Scheme) + ":" + r.Name
	switch r.Scheme {
	case Registry:
		s = r.Name
	case PlainHTTP:
		s = "http://" + r.Name
	}
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// MarshalText is String, for documents.
func (r Reference) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is Parse, for documents.
func (r *Reference) UnmarshalText(p []byte) (err error) {
	*r, err = Parse(string(p))
	return err
}

// Locked is a Reference whose digest is that of one image manifest, never of an index. In a document it is one string.
type Locked struct{ Reference }

// UnmarshalText is Parse and refuses a reference without a digest.
func (l *Locked) UnmarshalText(p []byte) error {
	if err := l.Reference.UnmarshalText(p); err != nil {
		return err
	}
	if l.Digest == "" {
		return report.Errorf(report.Invalid, "reference %q is not locked: it should end in @sha256: and the digest of a manifest", p)
	}
	return nil
}
