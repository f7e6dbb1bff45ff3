package inspect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
)

// Change is one difference between two assets.
type Change struct {
	Op     string `json:"op"` // "added", "removed", "changed"
	Path   string `json:"path"`
	Before string `json:"before,omitempty"` // what it was, in words
	After  string `json:"after,omitempty"`
}

// Diff compares what two assets hold, item by item and fact by fact, down to where the difference is: a changed command
// line is one change, not also a changed UKI, partition and ISO. Where no item tells of a difference that the bytes have,
// the innermost item that differs does. What an asset holds at two places, such as the initramfs of an ISO, is compared at the
// first, if a and b were opened with digests. No change means that the two are equal byte for byte.
func Diff(ctx context.Context, a, b *Item) ([]Change, error) {
	d := &differ{ctx: ctx, seen: map[[2]blob.Digest]string{}}
	err := d.compare("", a, b)
	return d.changes, err
}

type differ struct {
	ctx     context.Context
	changes []Change
	seen    map[[2]blob.Digest]string // pairs with different contents, and where they were compared
}

func (d *differ) compare(path string, a, b *Item) error {
	at := int64(-1)
	if a.Digest == "" || a.Digest != b.Digest {
		var err error
		if at, err = blob.Equal(d.ctx, a.Blob, b.Blob); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	before := len(d.changes)
	if at >= 0 && a.Digest != "" && b.Digest != "" {
		pair := [2]blob.Digest{a.Digest, b.Digest}
		if first, ok := d.seen[pair]; ok {
			d.add("changed", path, "", "as "+first)
			return nil
		}
		d.seen[pair] = path
	}
	d.facts(path, a, b)
	if a.Note != b.Note {
		d.add("changed", path+" note", a.Note, b.Note)
	}
	if at < 0 {
		return nil
	}
	if err := d.items(path, a, b); err != nil {
		return err
	}
	if len(d.changes) == before {
		d.add("changed", path, describe(a), fmt.Sprintf("%s, different from byte %d on", describe(b), at))
	}
	return nil
}

func (d *differ) items(path string, a, b *Item) error {
	other := byName(b)
	for _, x := range a.Items {
		y := other[x.Name]
		if y == nil {
			d.add("removed", join(path, x.Name), describe(x), "")
			continue
		}
		if err := d.compare(join(path, x.Name), x, y); err != nil {
			return err
		}
	}
	mine := byName(a)
	for _, y := range b.Items {
		if mine[y.Name] == nil {
			d.add("added", join(path, y.Name), "", describe(y))
		}
	}
	return nil
}

// facts that repeat what an item below says would say it twice.
func (d *differ) facts(path string, a, b *Item) {
	for _, f := range a.Facts {
		if v := b.Facts.Get(f.Name); v != f.Value && !repeats(a, f) {
			d.add("changed", path+" "+f.Name, f.Value, v)
		}
	}
	for _, f := range b.Facts {
		if a.Facts.Get(f.Name) == "" && !repeats(b, f) {
			d.add("changed", path+" "+f.Name, "", f.Value)
		}
	}
}

func repeats(it *Item, f Fact) bool {
	return slices.ContainsFunc(it.Items, func(c *Item) bool {
		return slices.ContainsFunc(c.Facts, func(g Fact) bool { return g.Value == f.Value })
	})
}

func (d *differ) add(op, path, before, after string) {
	d.changes = append(d.changes, Change{op, strings.TrimSpace(path), before, after})
}

func byName(it *Item) map[string]*Item {
	m := make(map[string]*Item, len(it.Items))
	for _, c := range it.Items {
		m[c.Name] = c
	}
	return m
}

func describe(it *Item) string { return it.Type + ", " + progress.FormatBytes(it.Size) }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + strings.Trim(name, "/")
}

// WriteChanges prints changes for a person; texts are shown by the lines that differ.
func WriteChanges(w io.Writer, changes []Change) error {
	var b bytes.Buffer
	for _, c := range changes {
		switch c.Op {
		case "added":
			fmt.Fprintf(&b, "+ %s  (%s)\n", printable(c.Path), c.After)
		case "removed":
			fmt.Fprintf(&b, "- %s  (%s)\n", printable(c.Path), c.Before)
		default:
			fmt.Fprintf(&b, "~ %s\n", printable(c.Path))
			writeLines(&b, "    - ", c.Before, c.After)
			writeLines(&b, "    + ", c.After, c.Before)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeLines prints the lines of text that other lacks.
func writeLines(b *bytes.Buffer, prefix, text, other string) {
	have := strings.Split(other, "\n")
	for _, line := range strings.Split(text, "\n") {
		if line != "" && !slices.Contains(have, line) {
			fmt.Fprintf(b, "%s%s\n", prefix, printable(line))
		}
	}
}
