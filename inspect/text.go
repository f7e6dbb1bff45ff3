package inspect

import (
	"fmt"
	"io"
	"strings"

	"github.com/bootwright/bootwright/internal/progress"
)

// WriteText prints the item for a person: a line for each, facts below it, what it holds indented.
func (it *Item) WriteText(w io.Writer) error {
	var b strings.Builder
	it.write(&b, "")
	_, err := io.WriteString(w, b.String())
	return err
}

func (it *Item) write(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%s  %s", indent, it.Name, it.Type)
	if it.Type != "folder" && it.Type != "link" && it.Type != "device" {
		fmt.Fprintf(b, "  %s", progress.FormatBytes(it.Size))
	}
	if it.Digest != "" {
		fmt.Fprintf(b, "  %s", it.Digest.Short())
	}
	b.WriteByte('\n')
	for _, f := range it.Facts {
		writeFact(b, indent+"  ", f)
	}
	if it.Note != "" {
		fmt.Fprintf(b, "%s  ! %s\n", indent, it.Note)
	}
	for _, child := range it.Items {
		child.write(b, indent+"    ")
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
