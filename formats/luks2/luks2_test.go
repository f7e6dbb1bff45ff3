package luks2

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// volume is a file that cryptsetup formats, with a key in slot 3 and options.
func volume(t *testing.T, options ...string) string {
	t.Helper()
	oracle.Need(t, "cryptsetup")
	name := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(name, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-slot", "3", "--label", "STATE"}
	cryptsetup(t, "secret", append(append(args, options...), "--key-file", "-", name)...)
	return name
}

func cryptsetup(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), oracle.Need(t, "cryptsetup"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cryptsetup %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func content(t *testing.T, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReadAsCryptsetupWrites compares the metadata with what luksDump says.
func TestReadAsCryptsetupWrites(t *testing.T) {
	t.Parallel()
	for _, options := range [][]string{
		nil,
		{"--sector-size", "4096", "--subsystem", "bootwright"},
		{"--luks2-metadata-size", "64k", "--luks2-keyslots-size", "1m", "--offset", "8192"},
	} {
		name := volume(t, options...)
		cryptsetup(t, `{"type":"test","keyslots":["3"],"UserData":{"a":1}}`, "token", "import", "--token-id", "7", name)
		h, copies, err := Read(blob.Bytes(content(t, name)))
		if err != nil || copies.Damaged() {
			t.Fatalf("%q: %v, %v", options, copies, err)
		}
		var dump struct {
			Keyslots, Tokens, Segments, Digests map[string]json.RawMessage
			Config                              struct {
				KeyslotsSize string `json:"keyslots_size"`
			}
		}
		if err := json.Unmarshal([]byte(cryptsetup(t, "", "luksDump", "--dump-json-metadata", name)), &dump); err != nil {
			t.Fatal(err)
		}
		var slot Keyslot
		var segment Segment
		if err := errors.Join(json.Unmarshal(dump.Keyslots["3"], &slot), json.Unmarshal(dump.Segments["0"], &segment)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(h.Keyslots, map[int]Keyslot{3: slot}) || !reflect.DeepEqual(h.Segments, map[int]Segment{0: segment}) ||
			len(h.Digests) != 1 || len(h.Tokens) != 1 || strconv.FormatInt(h.Config.KeyslotsSize, 10) != dump.Config.KeyslotsSize {
			t.Errorf("%q: read %+v", options, h.Metadata)
		}
		text := cryptsetup(t, "", "luksDump", name)
		token := h.Tokens[7]
		if !strings.Contains(text, h.UUID) || h.Label != "STATE" || token.Type != "test" || !bytes.Contains(token.JSON, []byte(`"UserData"`)) || slot.KDF.Salt == "" {
			t.Errorf("%q: UUID %q, label %q, token %+v, salt %q\n%s", options, h.UUID, h.Label, token, slot.KDF.Salt, text)
		}
		if h.DataOffset() != segment.Offset || segment.Offset == 0 {
			t.Errorf("%q: the data is at %d; want %d", options, h.DataOffset(), segment.Offset)
		}
	}
}

// TestCopies spoils copies of a header. cryptsetup judges what can still be read.
func TestCopies(t *testing.T) {
	t.Parallel()
	whole := volume(t)
	for _, tt := range []struct {
		name       string
		spoil      func(p []byte)
		bad        [2]bool
		wantErr    error
		wantKind   report.Kind
		unreadable bool
	}{
		{name: "whole", spoil: func([]byte) {}},
		{name: "first checksum", spoil: func(p []byte) { p[5000] ^= 1 }, bad: [2]bool{true, false}},
		{name: "first gone", spoil: func(p []byte) { clear(p[:4096]) }, bad: [2]bool{true, false}},
		{name: "second checksum", spoil: func(p []byte) { p[16<<10+5000] ^= 1 }, bad: [2]bool{false, true}},
		{name: "second gone", spoil: func(p []byte) { clear(p[16<<10 : 17<<10]) }, bad: [2]bool{false, true}},
		{name: "second older", spoil: func(p []byte) { sequence(p[16<<10:32<<10], 1) }, bad: [2]bool{false, true}},
		{name: "first older", spoil: func(p []byte) { sequence(p[:16<<10], 1) }, bad: [2]bool{true, false}},
		{name: "first misplaced", spoil: func(p []byte) { copy(p[:16<<10], p[16<<10:]) }, bad: [2]bool{true, false}},
		{name: "both", spoil: func(p []byte) { p[5000] ^= 1; p[16<<10+5000] ^= 1 }, wantKind: report.Invalid, unreadable: true},
		{name: "none", spoil: func(p []byte) { clear(p[:4<<20]) }, wantErr: ErrNone, wantKind: report.NotFound, unreadable: true},
		{name: "LUKS1", spoil: func(p []byte) { p[7] = 1; clear(p[16<<10 : 17<<10]) }, wantKind: report.Unsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := content(t, whole)
			tt.spoil(p)
			h, copies, err := Read(blob.Bytes(p))
			if tt.wantKind != 0 {
				if report.KindOf(err) != tt.wantKind || tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
					t.Errorf("error %v of kind %v; want %v", err, report.KindOf(err), tt.wantKind)
				}
			} else if got := [2]bool{copies.Primary != nil, copies.Secondary != nil}; err != nil || got != tt.bad || len(h.Keyslots) != 1 {
				t.Errorf("copies %+v, error %v; want %v", copies, err, tt.bad)
			}
			judged := oracle.File(t, blob.Bytes(p))
			_, refused := oracle.TryRun(t, "cryptsetup", "luksUUID", judged)
			if (refused != nil) != tt.unreadable && tt.name != "LUKS1" {
				t.Errorf("cryptsetup: %v; want unreadable=%v", refused, tt.unreadable)
			}
		})
	}
}

// sequence changes the sequence number of a copy, and its checksum.
func sequence(p []byte, to uint64) {
	binary.BigEndian.PutUint64(p[16:], to)
	sum(p)
}

func sum(p []byte) {
	clear(p[sumAt : sumAt+sumSize])
	s := sha256.Sum256(p)
	copy(p[sumAt:], s[:])
}

// small is a header of 16 KiB with this JSON, in two copies.
func small(metadata string) []byte {
	p := make([]byte, 32<<10)
	for i, magic := range []string{primaryMagic, secondaryMagic} {
		c := p[i*minSize : (i+1)*minSize]
		copy(c, magic)
		binary.BigEndian.PutUint16(c[6:], version)
		binary.BigEndian.PutUint64(c[8:], minSize)
		binary.BigEndian.PutUint64(c[16:], 1)
		copy(c[72:], "sha256")
		binary.BigEndian.PutUint64(c[256:], uint64(i*minSize))
		copy(c[binarySize:], metadata)
		sum(c)
	}
	return p
}

func TestBadMetadata(t *testing.T) {
	t.Parallel()
	const (
		segment = `"segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic"}}`
		config  = `"config":{"json_size":"12288","keyslots_size":"16744448"}`
	)
	if _, _, err := Read(blob.Bytes(small("{" + segment + "," + config + "}"))); err != nil {
		t.Fatalf("the least metadata: %v", err)
	}
	for _, tt := range []struct{ metadata, want string }{
		{"", "metadata"},
		{`[]`, "metadata"},
		{"{" + segment + "}", "json_size"},
		{"{" + config + "}", "no segment"},
		{`{"keyslots":{"32":{}},` + segment + "," + config + "}", `a keyslot is called "32"`},
		{`{"tokens":{"01":{}},` + segment + "," + config + "}", `a token is called "01"`},
		{`{"keyslots":{"1":{"area":{"offset":"0","size":"1"}}},` + segment + "," + config + "}", "not among"},
		{`{"keyslots":{"1":{"area":{"offset":"9223372036854775807","size":"9223372036854775807"}}},` + segment + "," + config + "}", "not among"},
		{`{"keyslots":{"1":{"area":{"offset":"x","size":"1"}}},` + segment + "," + config + "}", "keyslot 1"},
		{`{"segments":{"0":{"offset":"1","size":"-1"}},` + config + "}", "the size"},
		{`{"segments":{"0":{"offset":"-1","size":"dynamic"}},` + config + "}", "negative"},
	} {
		_, _, err := Read(blob.Bytes(small(tt.metadata)))
		if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.metadata, err, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic"}},"config":{"json_size":"12288","keyslots_size":"1"}}`), []byte{})
	f.Add([]byte(`{"keyslots":{"0":{"area":{"offset":"32768","size":"9"}}},"tokens":{"0":{"type":"a","keyslots":["0"]}}}`), []byte("LUKS\xba\xbe\x00\x02"))
	f.Fuzz(func(t *testing.T, metadata, over []byte) {
		p := small("")
		copy(p[binarySize:minSize], metadata)
		sum(p[:minSize])
		copy(p[minSize:], over)
		if h, _, err := Read(blob.Bytes(p)); err == nil {
			h.DataOffset()
		}
		Read(blob.Bytes(over))
	})
}
