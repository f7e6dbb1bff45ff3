package builder

import (
	"context"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/result"
	"github.com/bootwright/bootwright/initramfs"
)

// Pieces says of each input of the plan, and of each piece made of them, whether it is at hand, as of now: Build downloads
// and compresses what is not, and then it is.
func (b *Builder) Pieces(ctx context.Context, plan *Plan) ([]result.Piece, error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	ref, err := reference.Parse(plan.Base.Source)
	if err != nil {
		return nil, err
	}
	var out []result.Piece
	for _, in := range plan.Inputs {
		state := result.InPlace
		switch {
		case in.Source == sourceBuiltin:
			state = result.Builtin
		case in.Source == sourceBase && (ref.Remote() || ref.Scheme == reference.Archive):
			_, err := b.Store.Blob(ctx, in.Digest)
			state = result.CachedUnless(err, result.Download)
		}
		out = append(out, result.Piece{Name: in.Name, State: state})
	}
	for _, p := range []struct{ name, input string }{{initramfs.PieceEarly, base.Early}, {initramfs.PieceInit, inputInit}} {
		if in, ok := plan.Input(p.input); ok {
			_, err := b.Store.Spooled(ctx, initramfs.Key(p.name, in.Digest))
			out = append(out, result.Piece{Name: "initramfs/" + p.name, State: result.CachedUnless(err, result.Compress)})
		}
	}
	for _, e := range plan.Extensions {
		_, err := b.Store.Spooled(ctx, extend.Key(e.Layer))
		out = append(out, result.Piece{Name: "extension/" + e.Name, State: result.CachedUnless(err, result.Compress)})
	}
	return out, ctx.Err()
}
