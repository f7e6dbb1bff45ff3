package fetch

import (
	"context"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/signature"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Limits on what is attached to an image.
const (
	maxAttached = 64 // manifests, and layers of each
	maxSigned   = 1 << 20
)

// Signer is the ID of the key by which an image was verified when it was resolved or opened; empty where Options.Keys asks
// for none.
func (c *Client) Signer(l reference.Locked) blob.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signers[l.Digest]
}

// Trusts reports whether an image was verified, or need not be.
func (c *Client) Trusts(l reference.Locked) bool { return len(c.opts.Keys) == 0 || c.Signer(l) != "" }

// Unsigned is an error where signatures are asked for and r is something that can have none, of kind Invalid.
func (c *Client) Unsigned(r reference.Reference) error {
	if len(c.opts.Keys) == 0 || r.Scheme != reference.Folder {
		return nil
	}
	return report.Errorf(report.Invalid, "%s: a folder has no signature, and one is asked for", r)
}

// verify wants one of the digests, an image and the indexes that lead to it, to be signed by one of the keys. Image is the first.
func (c *Client) verify(ctx context.Context, src source, digests []blob.Digest) error {
	if c.Trusts(reference.Locked{Reference: reference.Reference{Digest: digests[0]}}) {
		return nil
	}
	var said []string
	for _, d := range digests {
		key, err := c.signer(ctx, src, d)
		if err == nil {
			c.mu.Lock()
			c.signers[digests[0]] = key.ID()
			c.mu.Unlock()
			return nil
		}
		if report.KindOf(err) != report.Invalid {
			return err
		}
		said = append(said, err.Error())
	}
	return report.WithHint(report.Errorf(report.Invalid, "%s", strings.Join(said, "; ")), "sign it with `cosign sign --key`, or give the public key of who signed it with --verify-key")
}

// signer is the key by which what has the digest is signed.
func (c *Client) signer(ctx context.Context, src source, d blob.Digest) (signature.Key, error) {
	manifests, err := src.attached(ctx, d)
	if err != nil {
		return signature.Key{}, report.Errorf(report.KindOf(err), "signatures of %s: %w", d, err)
	}
	var candidates []signature.Candidate
	// Some registries tell artifact types wrong, so that those which do not look like signatures come last, and are not left out.
	slices.SortStableFunc(manifests, func(a, b descriptor) int { return unlikely(a) - unlikely(b) })
	for _, m := range manifests[:min(len(manifests), maxAttached)] {
		more, err := signatures(ctx, src, m)
		switch report.KindOf(err) {
		case report.Invalid, report.Unsupported: // whoever may push may attach rubbish
			continue
		}
		if err != nil {
			return signature.Key{}, report.Errorf(report.KindOf(err), "signatures of %s: %w", d, err)
		}
		candidates = append(candidates, more...)
	}
	return signature.Verify(d, c.opts.Keys, candidates)
}

// unlikely is 1 for what does not look like a signature, else 0.
func unlikely(d descriptor) int {
	if signature.MayHold(d.ArtifactType) {
		return 0
	}
	return 1
}

// signatures are the layers of an image that may hold some.
func signatures(ctx context.Context, src source, d descriptor) ([]signature.Candidate, error) {
	m, _, err := readManifest(ctx, src, d)
	if err != nil {
		return nil, err
	}
	var out []signature.Candidate
	for _, l := range m.Layers[:min(len(m.Layers), maxAttached)] {
		if !signature.Known(l.MediaType) || l.Size > maxSigned {
			continue
		}
		b, err := content(ctx, src.blob, l)
		if err != nil {
			return nil, err
		}
		text, err := readSmall(b)
		if err != nil {
			return nil, err
		}
		out = append(out, signature.Candidate{MediaType: l.MediaType, Annotations: l.Annotations, Content: text})
	}
	return out, nil
}

// attachedTags are the tags under which signatures of d are found: as cosign 2 has it, and as registries without the
// referrers API do (distribution-spec 1.1, "Referrers Tag Schema").
func attachedTags(d blob.Digest) (cosign, referrers string) {
	return "sha256-" + d.Hex() + ".sig", "sha256-" + d.Hex()
}

// leadsTo are the image l and the index that its tag names now, if that lists it.
func leadsTo(ctx context.Context, src source, l reference.Locked) []blob.Digest {
	out := []blob.Digest{l.Digest}
	roots, err := src.roots(ctx)
	if err != nil {
		return out // the image may be signed by itself
	}
	for _, root := range roots {
		m, _, err := readManifest(ctx, src, root)
		if err == nil && slices.ContainsFunc(m.Manifests, func(d descriptor) bool { return d.Digest == l.Digest }) {
			out = append(out, root.Digest)
		}
	}
	return out
}

// verifyLocked verifies what was resolved at another time, as in a plan.
func (c *Client) verifyLocked(ctx context.Context, src source, l reference.Locked) error {
	if c.Trusts(l) {
		return nil
	}
	err := c.verify(ctx, src, []blob.Digest{l.Digest})
	if report.KindOf(err) != report.Invalid {
		return err
	}
	named := l.Reference
	named.Digest = ""
	tagged, serr := c.source(named)
	if serr != nil {
		return err
	}
	return c.verify(ctx, src, leadsTo(ctx, tagged, l))
}
