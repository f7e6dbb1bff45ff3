package inspect

import (
	"fmt"
	"io"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
)

// WriteText prints the item for a person: a line for each, facts below it, what it holds indented. What lies at two places,
// such as the initramfs of an ISO, is shown at the first, if there are digests.
func (it *Item) WriteText(w io.Writer) error {
	t := texter{shown: map[blob.Digest]string{}}
	t.write("", "", it)
	_, err := io.WriteString(w, t.String())
	return err
}

type texter struct {
	strings.Builder
	shown map[blob.Digest]string // items that hold others, and where they were shown
}

func (t *texter) write(indent, path string, it *Item) {
	b := &t.Builder
	fmt.Fprintf(b, "%s%s  %s", indent, printable(it.Name), it.Type)
	if it.Type != "folder" && it.Type != "link" && it.Type != "device" {
		fmt.Fprintf(b, "  %s", progress.FormatBytes(it.Size))
	}
	if it.Digest != "" {
		fmt.Fprintf(b, "  %s", it.Digest.Short())
	}
	if first, ok := t.shown[it.Digest]; ok && it.Digest != "" && len(it.Items) > 0 {
		fmt.Fprintf(b, "  (the same as %s)\n", printable(first))
		return
	}
	t.shown[it.Digest] = path
	b.WriteByte('\n')
	for _, f := range it.Facts {
		writeFact(b, indent+"  ", f)
	}
	if it.Note != "" {
		fmt.Fprintf(b, "%s  ! %s\n", indent, it.Note)
	}
	for _, child := range it.Items {
		t.write(indent+"    ", join(path, child.Name), child)
	}
}

// writeFact keeps a value of several lines under its name.
func writeFact(b *strings.Builder, indent string, f Fact) {
	lines := strings.Split(f.Value, "\n")
	if len(lines) == 1 {
		fmt.Fprintf(b, "%s%s: %s\n", indent, f.Name, printable(f.Value))
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, f.Name)
	for _, l := range lines {
		fmt.Fprintf(b, "%s  | %s\n", indent, printable(l))
	}
}

// printable keeps control characters of foreign files from the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
}
