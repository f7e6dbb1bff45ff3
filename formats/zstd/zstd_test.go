package zstd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// content is n bytes that compress to about a quarter, always the same.
func content(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.IntN(4))
	}
	return p
}

func compress(t testing.TB, p []byte, o zstd.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := zstd.Compress(context.Background(), &out, blob.Bytes(p), o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decompress(p []byte, max int64) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(p), max)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// contents are the sizes of the frames' contents.
func contents(t testing.TB, p []byte) []int64 {
	t.Helper()
	frames, err := zstd.Frames(blob.Bytes(p))
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, f := range frames {
		if f.Content < 0 { // the encoder does not say it of less than 256 bytes
			one, err := decompress(p[f.Offset:f.End()], 256)
			if err != nil {
				t.Fatal(err)
			}
			f.Content = int64(len(one))
		}
		out = append(out, f.Content)
	}
	return out
}

func TestCompress(t *testing.T) {
	t.Parallel()
	const size = 100_000
	p := content(size)
	for _, c := range []struct {
		name   string
		size   int
		opts   zstd.Options
		frames []int64
	}{
		{"empty", 0, zstd.Options{}, []int64{0}},
		{"one byte", 1, zstd.Options{}, []int64{1}},
		{"defaults", size, zstd.Options{}, []int64{size}},
		{"fastest", size, zstd.Options{Level: 1}, []int64{size}},
		{"best", size, zstd.Options{Level: 19}, []int64{size}},
		{"even frames", size, zstd.Options{FrameSize: 50_000}, []int64{50_000, 50_000}},
		{"odd frames", size, zstd.Options{FrameSize: 60_000}, []int64{60_000, 40_000}},
		{"no cut", size, zstd.Options{FrameSize: 30_000, Cuts: []int64{}}, []int64{size}},
		{"cuts", size, zstd.Options{FrameSize: 30_000, Cuts: []int64{0, 10_000, 20_000, 80_000, 80_004, 99_000}}, []int64{20_000, 60_000, 20_000}},
		{"cuts alike and at the ends", size, zstd.Options{FrameSize: 30_000, Cuts: []int64{0, 0, 30_000, 30_000, 30_001, 60_000, size}}, []int64{30_000, 30_000, 40_000}},
	} {
		z := compress(t, p[:c.size], c.opts)
		if got := contents(t, z); !slices.Equal(got, c.frames) {
			t.Errorf("%s: frames of %v bytes, want %v", c.name, got, c.frames)
		}
		got, err := decompress(z, size)
		if err != nil || !bytes.Equal(got, p[:c.size]) {
			t.Errorf("%s: %d bytes come back as %d: %v", c.name, c.size, len(got), err)
		}
		if c.size == size && len(z) > size/2 {
			t.Errorf("%s: %d bytes become %d", c.name, size, len(z))
		}
	}
}

// TestCompressLongFrames has records too long for memory between short ones.
func TestCompressLongFrames(t *testing.T) {
	t.Parallel()
	p := content(12 << 20)
	cuts := []int64{1 << 20, 6 << 20, 7 << 20, 11 << 20}
	z := compress(t, p, zstd.Options{Level: 1, FrameSize: 1 << 20, Cuts: cuts})
	if got, want := contents(t, z), []int64{1 << 20, 5 << 20, 1 << 20, 4 << 20, 1 << 20}; !slices.Equal(got, want) {
		t.Errorf("frames of %v bytes, want %v", got, want)
	}
	if got, err := decompress(z, 12<<20); err != nil || !bytes.Equal(got, p) {
		t.Errorf("%d bytes come back as %d: %v", len(p), len(got), err)
	}
}

// TestCompressIsDeterministic is not parallel: it changes GOMAXPROCS.
func TestCompressIsDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	long := content(6 << 20)
	for _, c := range []struct {
		p []byte
		o zstd.Options
	}{
		{long[:1<<20], zstd.Options{FrameSize: 300_000}},
		{long[:1<<20], zstd.Options{Level: 7, FrameSize: 100_000}},
		{long, zstd.Options{Level: 1, FrameSize: 1 << 20, Cuts: []int64{5, 5 << 20}}},
	} {
		var want []byte
		for _, procs := range []int{1, 2, 16} {
			runtime.GOMAXPROCS(procs)
			if got := compress(t, c.p, c.o); want == nil {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Errorf("%+v: another output with GOMAXPROCS=%d", c.o, procs)
			}
		}
	}
}

func TestCompressFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	long := blob.Concat(blob.Part("start", blob.Zeros(3<<20)), blob.Part("bad", failing{broken}), blob.Part("end", blob.Zeros(20<<20)))
	for name, o := range map[string]zstd.Options{"in memory": {}, "streamed": {FrameSize: 1 << 30}} {
		if err := zstd.Compress(context.Background(), io.Discard, long, o); !errors.Is(err, broken) || !strings.Contains(err.Error(), "offset") {
			t.Errorf("%s: reading fails with %v", name, err)
		}
		full := errors.New("no space left")
		if err := zstd.Compress(context.Background(), writer(func([]byte) (int, error) { return 0, full }), blob.Zeros(20<<20), o); !errors.Is(err, full) {
			t.Errorf("%s: writing fails with %v", name, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		stop := writer(func(p []byte) (int, error) { cancel(); return len(p), nil })
		if err := zstd.Compress(ctx, stop, blob.Bytes(content(12<<20)), o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelling fails with %v", name, err)
		}
	}
	for _, cuts := range [][]int64{{-1}, {101}, {20, 10}} {
		if err := zstd.Compress(context.Background(), io.Discard, blob.Zeros(100), zstd.Options{Cuts: cuts}); err == nil {
			t.Errorf("cuts %v pass", cuts)
		}
	}
}

type failing struct{ err error }

func (f failing) Size() int64                       { return 10 }
func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestFramesHoldRecords follows the kernel, which unpacks each frame of an initramfs as an archive of its own.
func TestFramesHoldRecords(t *testing.T) {
	t.Parallel()
	var tr tree.Tree
	for i := range 300 {
		tr.File(fmt.Sprintf("lib/modules/%d.ko", i), 0o644, blob.Bytes(content(100*i)))
	}
	archive, err := cpio.Format(&tr, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := cpio.RecordStarts(archive)
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	if err := zstd.Compress(context.Background(), &z, archive, zstd.Options{FrameSize: 64 << 10, Cuts: cuts}); err != nil {
		t.Fatal(err)
	}
	frames, err := zstd.Frames(blob.Bytes(z.Bytes()))
	if err != nil || len(frames) < 20 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	files := 0
	for _, f := range frames {
		p, err := decompress(z.Bytes()[f.Offset:f.End()], 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		part, end, err := cpio.Read(blob.Bytes(p))
		if err != nil || end != int64(len(p)) {
			t.Fatalf("frame at %d: end %d of %d, %v", f.Offset, end, len(p), err)
		}
		for _, n := range part.Nodes() {
			if n.Mode.IsRegular() {
				files++
			}
		}
	}
	if files != 300 {
		t.Errorf("%d files in all", files)
	}
}

func TestVersionIsTheModules(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	encoder := zstd.Version[strings.Index(zstd.Version, "klauspost"):]
	if !strings.Contains(string(mod), "github.com/"+encoder+"\n") {
		t.Errorf("go.mod has another version than %q; change it, and all caches forget what the old one made", encoder)
	}
}

func TestNewReader(t *testing.T) {
	t.Parallel()
	p := content(300_000)
	z := compress(t, p, zstd.Options{FrameSize: 100_000})
	skippable := append([]byte("\x52\x2a\x4d\x18\x05\x00\x00\x00hello"), z...)
	wide := slices.Concat([]byte(zstd.Magic), []byte{0, 18 << 3}) // a window of 2^28 bytes
	for _, c := range []struct {
		name string
		in   []byte
		max  int64
		want string
	}{
		{"exact", z, 300_000, ""},
		{"skippable frame", skippable, 300_000, ""},
		{"no limit", z, math.MaxInt64, ""},
		{"one too long", z, 299_999, "longer than 299999 bytes"},
		{"nothing allowed", z, 0, "longer than 0 bytes"},
		{"cut short", z[:len(z)-10], 1 << 20, "zstd: "},
		{"cut in a header", z[:5], 1 << 20, "zstd: "},
		{"soup", []byte("hello, world"), 1 << 20, "zstd: "},
		{"something behind", append(bytes.Clone(z), "070701"...), 1 << 20, "zstd: "},
		{"damaged", append(bytes.Clone(z[:1000]), append([]byte{^z[1000]}, z[1001:]...)...), 1 << 20, "zstd: "},
		{"window", append(wide, z[6:]...), 1 << 20, "window"},
	} {
		got, err := decompress(c.in, c.max)
		if c.want == "" {
			if err != nil || !bytes.Equal(got, p) {
				t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != report.Invalid || int64(len(got)) > c.max {
			t.Errorf("%s: %d bytes, %v; want %q", c.name, len(got), err, c.want)
		}
	}
	broken := report.Errorf(report.Unavailable, "the line dropped")
	r, err := zstd.NewReader(io.MultiReader(bytes.NewReader(z[:20_000]), iotest.ErrReader(broken)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, broken) || report.KindOf(err) != report.Unavailable {
		t.Errorf("a reader that fails: %v", err)
	}
	if err := iotest.TestReader(mustReader(t, z), p); err != nil {
		t.Error(err)
	}
}

func mustReader(t *testing.T, z []byte) io.Reader {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(z), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestFrames(t *testing.T) {
	t.Parallel()
	z := compress(t, content(100_000), zstd.Options{FrameSize: 40_000})
	for name, tail := range map[string]string{"": "", "zeros": "\x00\x00\x00\x00\x00", "a zero": "\x00", "cpio": "070701", "half a magic": zstd.Magic[:3]} {
		frames, err := zstd.Frames(blob.String(string(z) + tail))
		if err != nil || len(frames) != 3 || frames[2].End() != int64(len(z)) {
			t.Errorf("before %q: %+v, %v", name, frames, err)
		}
		if end, err := zstd.End(blob.String(string(z) + tail)); err != nil || end != frames[0].Length {
			t.Errorf("before %q: the first frame ends at %d, not %d: %v", name, end, frames[0].Length, err)
		}
	}
	skippable := blob.String("\x52\x2a\x4d\x18\x05\x00\x00\x00hello" + string(z))
	if frames, err := zstd.Frames(skippable); err != nil || len(frames) != 4 || !frames[0].Skippable || frames[0].Length != 13 {
		t.Errorf("with a skippable frame: %+v, %v", frames, err)
	}
	unsized := zstd.Magic + "\x00\x58" + "\x13\x00\x00x" // a window of 2 MiB, two bytes of run length
	if frames, err := zstd.Frames(blob.String(unsized)); err != nil || frames[0].Content != -1 || frames[0].Window != 2<<20 || frames[0].Length != 10 {
		t.Errorf("without a size: %+v, %v", frames, err)
	}
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "no zstd frame"},
		{"soup", "hello, world", "no zstd frame"},
		{"magic only", zstd.Magic, "cut short"},
		{"header only", string(z[:6]), "cut short"},
		{"block", string(z[:100]), "cut short"},
		{"checksum", string(z[:len(z)-1]), "cut short"},
		{"reserved bit", zstd.Magic + "\x08\x58\x01\x00\x00", "reserved bit"},
		{"reserved block", zstd.Magic + "\x00\x58" + "\x07\x00\x00", "type 3"},
		{"long block", zstd.Magic + "\x00\x58" + "\xff\xff\xff", "2097151 bytes"},
		{"skippable", "\x50\x2a\x4d\x18\xff\xff\xff\xff", "cut short"},
		{"content", zstd.Magic + "\xc0\x58" + "\xff\xff\xff\xff\xff\xff\xff\xff" + "\x01\x00\x00", "a content of"},
	} {
		if _, err := zstd.Frames(blob.String(c.in)); err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
		if _, err := zstd.End(blob.String(c.in)); err == nil && c.name != "checksum" {
			t.Errorf("%s: the first frame passes", c.name)
		}
	}
}

// TestFramesAreLimited has as many of the shortest frames as a file of some megabytes holds.
func TestFramesAreLimited(t *testing.T) {
	t.Parallel()
	shortest := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
	shortest = binary.LittleEndian.AppendUint32(shortest, 0)
	if _, err := zstd.Frames(blob.Bytes(bytes.Repeat(shortest, 1<<20+1))); report.KindOf(err) != report.Unsupported {
		t.Errorf("%v; want a limit", err)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	p := content(500_000)
	for _, o := range []zstd.Options{{}, {Level: 1, FrameSize: 100_000}, {Level: 7, FrameSize: 100_000, Cuts: []int64{7, 400_001}}, {Level: 19}} {
		z := compress(t, p, o)
		path := oracle.File(t, blob.Bytes(z))
		if err := os.Rename(path, path+".zst"); err != nil {
			t.Fatal(err)
		}
		oracle.Run(t, "zstd", "-t", path+".zst")
		cmd := exec.Command(oracle.Need(t, "zstd"), "-dc", path+".zst")
		if got, err := cmd.Output(); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%+v: zstd -d gives %d bytes, %v", o, len(got), err)
		}
		frames, err := zstd.Frames(blob.Bytes(z))
		if err != nil {
			t.Fatal(err)
		}
		list := oracle.Run(t, "zstd", "-lv", path+".zst")
		if !strings.Contains(list, fmt.Sprintf("Frames: %d\n", len(frames))) {
			t.Errorf("%+v: zstd -l counts other frames than %d:\n%s", o, len(frames), list)
		}
		if !strings.Contains(list, "XXH64") {
			t.Errorf("%+v: no checksum:\n%s", o, list)
		}
	}
}

func TestReadJudgesFrames(t *testing.T) {
	t.Parallel()
	p := content(1 << 20)
	for _, args := range [][]string{{"-1"}, {"-3", "--no-check"}, {"-9", "--long=27"}, {"-3", "--no-content-size"}, {"-T2", "-B512K"}} {
		cmd := exec.Command(oracle.Need(t, "zstd"), append(args, "-c")...)
		cmd.Stdin = bytes.NewReader(p)
		z, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if got, err := decompress(z, int64(len(p))); err != nil || !bytes.Equal(got, p) {
			t.Errorf("%q: %d bytes, %v", args, len(got), err)
		}
		if end, err := zstd.End(blob.String(string(z) + "\x00\x00070701")); err != nil || end != int64(len(z)) {
			t.Errorf("%q: the frame ends at %d of %d: %v", args, end, len(z), err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(compress(f, content(1000), zstd.Options{FrameSize: 400}))
	f.Add([]byte(zstd.Magic + "\x00\x58" + "\x13\x00\x00x"))
	f.Add([]byte("\x52\x2a\x4d\x18\x05\x00\x00\x00hello"))
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 1 << 20
		got, err := decompress(p, limit)
		if len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
		frames, framesErr := zstd.Frames(blob.Bytes(p))
		var end int64
		for _, f := range frames {
			if f.Offset != end || f.Length <= 0 {
				t.Fatalf("frames %+v", frames)
			}
			end = f.End()
		}
		if end > int64(len(p)) {
			t.Fatalf("frames end at %d of %d", end, len(p))
		}
		if err == nil && len(p) > 0 && (framesErr != nil || end != int64(len(p))) {
			t.Fatalf("it decompresses, but its frames end at %d of %d: %v", end, len(p), framesErr)
		}
	})
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("some content, some content"), int64(7), uint16(3), uint16(9), 3)
	f.Fuzz(func(t *testing.T, p []byte, frameSize int64, a, b uint16, level int) {
		o := zstd.Options{Level: level, FrameSize: frameSize}
		if a != b {
			o.Cuts = []int64{min(int64(a), int64(len(p))), min(int64(a)+int64(b), int64(len(p)))}
		} else if frameSize > 0 && int64(len(p))/frameSize > 100 {
			return // thousands of tiny frames show nothing new
		}
		z := compress(t, p, o)
		if got, err := decompress(z, int64(len(p))); err != nil || !bytes.Equal(got, p) {
			t.Fatalf("%d bytes come back as %d: %v", len(p), len(got), err)
		}
		var sum int64
		for _, n := range contents(t, z) {
			sum += n
			if o.Cuts != nil && sum < int64(len(p)) && !slices.Contains(o.Cuts, sum) {
				t.Fatalf("a frame ends at %d; cuts are %v", sum, o.Cuts)
			}
		}
		if sum != int64(len(p)) {
			t.Fatalf("frames hold %d of %d bytes", sum, len(p))
		}
	})
}

// TestZeros: a disk that is mostly holes gives the bytes that the same disk without known holes does.
func TestZeros(t *testing.T) {
	im, err := blob.NewImage(20<<20+5, blob.Extent{Name: "a", Offset: 7<<20 + 3, Blob: blob.String("content")})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := blob.ReadAll(im, im.Size())
	if err != nil {
		t.Fatal(err)
	}
	var sparse, plain bytes.Buffer
	for w, b := range map[*bytes.Buffer]blob.Blob{&sparse: im, &plain: blob.Bytes(whole)} {
		if err := zstd.Compress(t.Context(), w, b, zstd.Options{FrameSize: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(sparse.Bytes(), plain.Bytes()) {
		t.Error("holes change the output")
	}
	r, err := zstd.NewReader(&sparse, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
