// Package inspect looks into finished assets: what a file is, what is in it, and what is in that, down to a kernel's
// version and a UKI's command line. It reads every format that bootwright writes, whoever wrote the file, in one table of
// formats, and takes any bytes: memory, depth and the number of items are bounded, and what cannot be read becomes a note on its
// item instead of an error.
package inspect

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
)

// Item is one thing that was found: a file, a partition, a section, an archive.
type Item struct {
	Name   string      `json:"name"` // a path within the item that holds it
	Type   string      `json:"type"` // such as "iso9660", "uki", "squashfs", "folder", "data"
	Size   int64       `json:"size"` // bytes
	Digest blob.Digest `json:"digest,omitempty"`
	Facts  Facts       `json:"facts,omitempty"`
	Items  []*Item     `json:"items,omitempty"`
	Note   string      `json:"note,omitempty"` // why there is nothing more to see
	Blob   blob.Blob   `json:"-"`

	// layer: one of several archives that a kernel unpacks over each other, so its name is no part of a path.
	layer bool

	// within is what is at a path below it, where that is looked at only when somebody asks; else nil.
	within func(path string) *Item
}

// Facts are what an item says of itself, in the order in which a person wants them.
type Facts []Fact

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// MarshalJSON writes facts as one object.
func (fs Facts) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range fs {
		name, _ := json.Marshal(f.Name)
		value, _ := json.Marshal(f.Value)
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// Get is the value of the fact called name, or "".
func (fs Facts) Get(name string) string {
	for _, f := range fs {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func (it *Item) fact(name, value string) {
	if value != "" {
		it.Facts = append(it.Facts, Fact{name, value})
	}
}

// Options bound the work; the zero value has the usual bounds and computes no digests.
type Options struct {
	Digests  bool  // read everything once more, for the digest of each file
	MaxItems int   // zero: 100,000
	Unpacked int64 // bytes of compressed content that are unpacked into memory altogether; zero: 256 MiB
}

// The usual bounds, and how deep items nest: an ISO with a file system with a UKI with an initramfs takes six.
const (
	defaultItems    = 100_000
	defaultUnpacked = 256 << 20
	maxDepth        = 12
)

// opener carries the bounds through one look at one file.
type opener struct {
	ctx      context.Context
	items    int
	unpacked int64
	digests  bool
}

// Open describes b, which is called name. Its only error is that of ctx.
func Open(ctx context.Context, name string, b blob.Blob, opts Options) (*Item, error) {
	it := &Item{Name: name}
	newOpener(ctx, opts).look(it, b, 0)
	return it, ctx.Err()
}

// Part is a named piece of something that is not one file.
type Part struct {
	Name string
	Blob blob.Blob
}

// OpenImage describes the parts of a container image, which is called name and known by the digest of its manifest.
func OpenImage(ctx context.Context, name string, manifest blob.Digest, parts []Part, opts Options) (*Item, error) {
	o := newOpener(ctx, opts)
	it := &Item{Name: name, Type: "image", Digest: manifest}
	var all []blob.Extent
	for _, p := range parts {
		all = append(all, blob.Part(p.Name, p.Blob))
		if _, ok := o.add(it, p.Name, p.Blob, 0); !ok {
			break
		}
	}
	it.Blob = blob.Concat(all...)
	it.Size = it.Blob.Size()
	return it, ctx.Err()
}

func newOpener(ctx context.Context, opts Options) *opener {
	o := &opener{ctx: ctx, items: opts.MaxItems, unpacked: opts.Unpacked, digests: opts.Digests}
	if o.items == 0 {
		o.items = defaultItems
	}
	if o.unpacked == 0 {
		o.unpacked = defaultUnpacked
	}
	return o
}

// look fills in what b is.
func (o *opener) look(it *Item, b blob.Blob, depth int) {
	it.Blob, it.Size, it.Type = b, b.Size(), "data"
	if o.ctx.Err() != nil {
		return
	}
	if o.digests {
		d, err := blob.Sum(o.ctx, b)
		if err != nil {
			it.Note = "cannot be read: " + err.Error()
			return
		}
		it.Digest = d
	}
	p, err := newProbe(b)
	if err != nil {
		it.Note = "cannot be read: " + err.Error()
		return
	}
	for _, f := range formats() {
		if !f.is(p) {
			continue
		}
		it.Type = f.name
		if depth >= maxDepth {
			it.Note = "nested too deep to look inside"
			return
		}
		if err := f.open(o, it, depth); err != nil {
			it.Note = err.Error()
		}
		return
	}
}

// add looks at b as a child of it called name. It is false when the bound on items is reached.
func (o *opener) add(it *Item, name string, b blob.Blob, depth int) (*Item, bool) {
	if o.items <= 0 || o.ctx.Err() != nil {
		it.Note = "has more items than are looked at"
		return nil, false
	}
	o.items--
	child := &Item{Name: name}
	it.Items = append(it.Items, child)
	o.look(child, b, depth+1)
	return child, true
}

// probe is the start of a blob, enough to tell what it is.
type probe struct {
	head []byte
	size int64
}

func newProbe(b blob.Blob) (probe, error) {
	p := probe{make([]byte, min(b.Size(), 33<<10)), b.Size()}
	return p, blob.ReadFull(b, p.head, 0)
}

func (p probe) at(off int, magic string) bool {
	return len(p.head) >= off+len(magic) && string(p.head[off:off+len(magic)]) == magic
}
