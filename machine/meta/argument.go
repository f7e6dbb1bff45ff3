package meta

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// ArgumentName is the variable of the kernel argument talos.environment that carries values to a machine without a META
// partition: talos.environment=INSTALLER_META_BASE64=….
const ArgumentName = "INSTALLER_META_BASE64"

// compressFrom is the length from which the text is compressed; maxText is what a kernel's command line could ever hold,
// unpacked.
const (
	compressFrom = 256
	maxText      = 1 << 20
)

// EncodeArgument is the value of the variable: "0xTAG=VALUE" joined by ";", compressed by gzip where it is long, as base64.
// A value cannot hold a ";".
func EncodeArgument(v Values) (string, error) {
	var entries []string
	for _, tag := range slices.Sorted(maps.Keys(v)) {
		if bytes.Contains(v[tag], []byte(";")) {
			return "", report.Errorf(report.Invalid, "meta: the value of tag %#x has a \";\", which a kernel argument cannot carry", tag)
		}
		entries = append(entries, "0x"+strconv.FormatUint(uint64(tag), 16)+"="+string(v[tag]))
	}
	text := []byte(strings.Join(entries, ";"))
	if len(text) > compressFrom {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return "", err
		}
		z.Write(text) // into memory
		z.Close()
		text = b.Bytes()
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

// DecodeArgument reads what EncodeArgument wrote. Its errors are Invalid.
func DecodeArgument(s string) (Values, error) {
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%s: %w", ArgumentName, err)
	}
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(z, maxText+1))
		}
		if err != nil {
			return nil, report.Errorf(report.Invalid, "%s: %w", ArgumentName, err)
		}
		if len(text) > maxText {
			return nil, report.Errorf(report.Invalid, "%s: more than %d bytes", ArgumentName, maxText)
		}
	}
	v := Values{}
	for entry := range strings.SplitSeq(string(text), ";") {
		if entry == "" {
			continue
		}
		key, value, ok := strings.Cut(entry, "=")
		tag, err := ParseTag(key)
		if err != nil || !ok {
			return nil, report.Errorf(report.Invalid, "%s: %.40q is not TAG=VALUE with a tag from 0x1 to 0xff", ArgumentName, entry)
		}
		v[tag] = []byte(value)
	}
	return v, nil
}

// ParseTag reads a tag, decimal or with 0x before it.
func ParseTag(s string) (Tag, error) {
	n, err := strconv.ParseUint(s, 0, 8)
	if err != nil || n == 0 {
		return 0, report.Errorf(report.Invalid, "meta: %.40q is no tag; give a number from 1 to 255, such as 0xa", s)
	}
	return Tag(n), nil
}
