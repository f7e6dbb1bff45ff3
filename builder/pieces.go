package builder

import (
	"context"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extend"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/initramfs"
)

// Piece is content that a build needs: an input, or what an initramfs holds compressed.
type Piece struct {
	Name  string     `json:"name" yaml:"name"` // of the input, or "initramfs/" or "extension/" and what is compressed
	State PieceState `json:"state" yaml:"state"`
}

// PieceState says what it takes to have a piece.
type PieceState string

// The states. The first three cost a build nothing.
const (
	PieceBuiltin  PieceState = "builtin"  // bootwright carries it
	PieceInPlace  PieceState = "in-place" // it is read where it lies: a layout, a folder, a file of the profile
	PieceCached   PieceState = "cached"   // it is in the store
	PieceDownload PieceState = "download" // it has to be copied into the store, from a registry or an archive
	PieceCompress PieceState = "compress" // it has to be compressed into the store
)

// Pieces says of each input of the plan, and of each piece made of them, whether it is at hand, as of now: Build downloads
// and compresses what is not, and then it is.
func (b *Builder) Pieces(ctx context.Context, plan *Plan) ([]Piece, error) {
	if err := plan.check(); err != nil {
		return nil, err
	}
	ref, err := reference.Parse(plan.Base.Source)
	if err != nil {
		return nil, err
	}
	var out []Piece
	for _, in := range plan.Inputs {
		state := PieceInPlace
		switch {
		case in.Source == sourceBuiltin:
			state = PieceBuiltin
		case in.Source == sourceBase && (ref.Remote() || ref.Scheme == reference.Archive):
			_, err := b.Store.Blob(ctx, in.Digest)
			state = cachedUnless(err, PieceDownload)
		}
		out = append(out, Piece{in.Name, state})
	}
	for _, p := range []struct{ name, input string }{{initramfs.PieceEarly, base.Early}, {initramfs.PieceInit, inputInit}} {
		if in, ok := plan.Input(p.input); ok {
			_, err := b.Store.Spooled(ctx, initramfs.Key(p.name, in.Digest))
			out = append(out, Piece{"initramfs/" + p.name, cachedUnless(err, PieceCompress)})
		}
	}
	for _, e := range plan.Extensions {
		_, err := b.Store.Spooled(ctx, extend.Key(e.Layer))
		out = append(out, Piece{"extension/" + e.Name, cachedUnless(err, PieceCompress)})
	}
	return out, ctx.Err()
}

// cachedUnless is the state of what the store was asked for, and answered err.
func cachedUnless(err error, otherwise PieceState) PieceState {
	if err != nil {
		return otherwise
	}
	return PieceCached
}
