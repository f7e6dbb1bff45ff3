package configarea

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

const (
	trailerIntro = "# pending "
	trailerSize  = len(trailerIntro) + 10 + 1 + 2*sha256.Size + 1
	sector       = 512 // bytes that a disk writes all or none of
	brokenOff    = header + intro + "being-written 4294967295\n"
)

// Write is a part of an area that is to be written, and to be on the medium before what follows it.
type Write struct {
	Offset int64 // in the area, bytes
	Data   []byte
}

// Rewrite is the writes that make area what Encode makes of entries, in their order, none if it is that already. Whenever
// the power fails, Decode gives what was there or what is to be there, as long as there is room for both; where there is
// not, and where the area is damaged, it gives that or an error. Errors are those of Encode.
func Rewrite(area []byte, entries []Entry) ([]Write, error) {
	want, err := Encode(entries, int64(len(area)))
	if err != nil {
		return nil, err
	}
	old, err := Decode(area)
	if err != nil {
		return replace(want), nil
	}
	have, err := Encode(old, int64(len(area)))
	if err != nil {
		return replace(want), nil
	}
	var writes []Write
	if at, complete, found := pending(area); found { // an earlier one was cut off
		if complete {
			writes = append(writes, Write{0, have[:at]})
		}
		writes = append(writes, clean(have, at)...)
	}
	if bytes.Equal(have, want) {
		return writes, nil
	}
	body := want[:Size(entries)]
	at := len(area) - trailerSize - len(body)
	if at < max(len(body), int(Size(old))) {
		return replace(want), nil
	}
	writes = append(writes, Write{int64(len(area) - trailerSize), trailer(body)}, Write{int64(at), body}, Write{0, want[:at]})
	return append(writes, clean(want, at)...), nil
}

// trailer says of the text before it what it is when it is complete.
func trailer(body []byte) []byte {
	return fmt.Appendf(nil, "%s%010d %x\n", trailerIntro, len(body), sha256.Sum256(body))
}

// pending finds the trailer at the end of area: the text before it begins at the offset at.
func pending(area []byte) (at int, complete, found bool) {
	end := len(area) - trailerSize
	if end < 0 || !bytes.HasPrefix(area[end:], []byte(trailerIntro)) {
		return 0, false, false
	}
	size, digest, _ := strings.Cut(string(area[end+len(trailerIntro):]), " ")
	n, err := strconv.ParseUint(size, 10, 32)
	if err != nil || int(n) > end || len(digest) != 2*sha256.Size+1 {
		return 0, false, false
	}
	at = end - int(n)
	return at, bytes.Equal(trailer(area[at:end]), area[end:]), true
}

// clean writes the padding over a text at an offset, and then over its trailer.
func clean(area []byte, at int) []Write {
	end := len(area) - trailerSize
	return []Write{{int64(at), area[at:end]}, {int64(end), area[end:]}}
}

// replace writes the first sector last; until then it has an entry that no area has room for.
func replace(area []byte) []Write {
	n := min(sector, len(area))
	broken := append([]byte(brokenOff), bytes.Repeat([]byte("\n"), sector)...)
	return []Write{{0, broken[:n]}, {int64(n), area[n:]}, {0, area[:n]}}
}
