package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Resolve finds the image manifest for arch (in Go's and OCI's spelling, such as amd64) that r means, through an index
// if it is one. An empty arch takes the only image there is. Where Options.Keys asks for it, the image or an index on the way
// has to be signed. The kinds of error are those of Open; without an image for
// arch it is NotFound and says which there are.
func (c *Client) Resolve(ctx context.Context, r reference.Reference, arch string) (reference.Locked, error) {
	src, err := c.source(r)
	if err != nil {
		return reference.Locked{}, within(ctx, r, err)
	}
	var d blob.Digest
	roots, err := src.roots(ctx)
	if err == nil {
		s := search{src: src, arch: arch}
		if d, err = s.among(ctx, roots, 0); err == nil {
			err = c.verify(ctx, src, s.trail)
		}
	}
	if other, ok := errors.AsType[otherArch](err); ok {
		kind := report.NotFound
		if arch == "" {
			kind = report.Invalid // the name means several
		}
		err = report.Errorf(kind, "%w", other)
	}
	if err != nil && r.Remote() {
		err = reference.Suggest(err, r.Name)
	}
	if err != nil {
		return reference.Locked{}, within(ctx, r, err)
	}
	r.Digest = d
	return reference.Locked{Reference: r}, nil
}

// search is one walk from roots to the manifest of an architecture.
type search struct {
	src  source
	arch string
	seen int // manifests read

	trail []blob.Digest // the image that was found, and the indexes that lead there
}

// otherArch says that there are images, but none for the architecture wanted.
type otherArch struct {
	want string
	have []string
}

func (e otherArch) Error() string {
	have := strings.Join(e.have, ", ")
	switch {
	case e.want == "" && have == "":
		return "holds several images; name one by its digest"
	case e.want == "":
		return fmt.Sprintf("holds images for %s; name one of these architectures", have)
	case have == "":
		return fmt.Sprintf("holds no image for %s, nor for any other architecture", e.want)
	}
	return fmt.Sprintf("holds no image for %s; it has %s", e.want, have)
}

// among finds the image in the entries of an index at the given depth: the first for the architecture, else the first
// without a platform whose config does not name another (image-spec, image-index.md).
func (s *search) among(ctx context.Context, entries []descriptor, depth int) (blob.Digest, error) {
	var fit, open []descriptor
	other := otherArch{want: s.arch}
	for _, d := range entries {
		switch p := d.Platform; {
		case p == nil || p.Architecture == "":
			open = append(open, d)
		case p.OS != "" && p.OS != "linux":
			other.add(p.OS + "/" + p.Architecture)
		case p.Architecture == s.arch || s.arch == "":
			fit = append(fit, d)
			if s.arch == "" {
				other.add(p.Architecture)
			}
		default:
			other.add(p.Architecture)
		}
	}
	if s.arch == "" && len(fit)+len(open) > 1 {
		return "", other
	}
	if len(fit) > 0 {
		open = fit[:1]
	}
	for _, d := range open {
		got, err := s.follow(ctx, d, depth)
		o, ok := errors.AsType[otherArch](err)
		if !ok {
			return got, err
		}
		for _, a := range o.have {
			other.add(a)
		}
	}
	return "", other
}

func (e *otherArch) add(arch string) {
	// Attestations are listed as images for an unknown platform.
	if arch != "unknown/unknown" && !slices.Contains(e.have, arch) {
		e.have = append(e.have, arch)
	}
}

// follow is d's digest if it is an image for the architecture, or what its entries hold if it is an index.
func (s *search) follow(ctx context.Context, d descriptor, depth int) (blob.Digest, error) {
	if s.seen++; s.seen > maxManifests {
		return "", report.Errorf(report.Invalid, "more than %d manifests to look at; name one by its digest", maxManifests)
	}
	m, _, err := readManifest(ctx, s.src, d)
	if err != nil {
		return "", err
	}
	if m.isIndex() {
		if depth == maxDepth {
			return "", report.Errorf(report.Invalid, "%s: indexes are nested more than %d deep", d.Digest, maxDepth)
		}
		found, err := s.among(ctx, m.Manifests, depth+1)
		if err == nil {
			s.trail = append(s.trail, d.Digest)
		}
		return found, err
	}
	s.trail = []blob.Digest{d.Digest}
	if m.Config.Size > maxManifest {
		return d.Digest, nil // no OCI config, so nothing says which architecture
	}
	b, err := content(ctx, s.src.blob, *m.Config)
	if err != nil {
		return "", err
	}
	config, err := readSmall(b)
	if err != nil {
		return "", err
	}
	if a := architecture(config); a != "" && s.arch != "" && a != s.arch {
		return "", otherArch{s.arch, []string{a}}
	}
	return d.Digest, nil
}

// named are the indexes of the images that tag means, given the tags of each; without a tag all, if they have the same.
func named(images [][]string, tag string) ([]int, error) {
	var all, match []int
	tags, sets := map[string]bool{}, map[string]bool{}
	for i, of := range images {
		all = append(all, i)
		sets[strings.Join(of, " ")] = true
		for _, t := range of {
			tags[t] = true
			// Some tools write the whole reference there.
			if t == tag || strings.HasSuffix(t, ":"+tag) {
				match = append(match, i)
				break
			}
		}
	}
	list := strings.Join(slices.Sorted(maps.Keys(tags)), ", ")
	switch {
	case tag == "" && len(sets) > 1:
		return nil, report.Errorf(report.Invalid, "holds several images; add one of the tags %.1000s", list)
	case tag == "":
		return all, nil
	case len(match) == 0 && list == "":
		return nil, report.Errorf(report.NotFound, "no image is tagged %s, nor has any other tag", tag)
	case len(match) == 0:
		return nil, report.Errorf(report.NotFound, "no image is tagged %s; there are %.1000s", tag, list)
	}
	return match, nil
}
