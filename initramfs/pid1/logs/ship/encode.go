package ship

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/lines"
)

// Message is the field with the text of a record, the one that may be cut.
const Message = "msg"

// encode is fields and, over them, tags as one JSON object without line feed, of at most limit bytes where that is not 0:
// the message is then cut, and says so. ok is false where that does not suffice.
func encode(fields map[string]any, tags map[string]string, limit int) (p []byte, ok bool) {
	for name, value := range tags {
		fields[name] = value
	}
	p = marshal(fields)
	text, _ := fields[Message].(string)
	fields = maps.Clone(fields)
	for keep := len(text); limit > 0 && len(p) > limit && keep > 0; p = marshal(fields) {
		keep -= 64 + keep*(len(p)-limit)/len(p) // a byte of text may take six of p
		keep = lines.Cut(text, max(keep, 0))
		fields[Message] = text[:keep] + fmt.Sprintf(" … (%d bytes cut)", len(text)-keep)
	}
	return p, limit == 0 || len(p) <= limit
}

// marshal sorts the fields by name, as the guide shows them.
func marshal(fields map[string]any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		panic("ship: " + err.Error()) // strings and numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
