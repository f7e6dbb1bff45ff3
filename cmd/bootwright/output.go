package main

import (
	"encoding/json"
	"io"
)

// printJSON prints v indented, with a newline at the end and without escaping HTML.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
