package luks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/linux"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// TestCommands holds the command lines against what is expected, and what goes to standard input.
func TestCommands(t *testing.T) {
	a := Key{Slot: 1, Secret: []byte("old"), KDF: Argon2id()}
	b := Key{Slot: 31, Secret: []byte("newer"), KDF: Cheap()}
	for _, tt := range []struct {
		do   func(ctx context.Context, c Cryptsetup) error
		want string
	}{
		{func(ctx context.Context, c Cryptsetup) error {
			return c.Format(ctx, "/dev/vda5", "v", a, FormatOptions{Label: "STATE"})
		}, "luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 512 --keyslot-cipher aes-xts-plain64 --keyslot-key-size 512" +
			" --key-slot 1 --volume-key-file v --label STATE --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 65536 --pbkdf-parallel 4 --key-file - --keyfile-size 3 /dev/vda5 <old"},
		{func(ctx context.Context, c Cryptsetup) error {
			return c.Format(ctx, "d", "v", b, FormatOptions{Cipher: "xchacha12,aes-adiantum-plain64", SectorSize: 4096})
		}, "luksFormat --batch-mode --type luks2 --cipher xchacha12,aes-adiantum-plain64 --key-size 256 --sector-size 4096 --keyslot-cipher aes-xts-plain64 --keyslot-key-size 512" +
			" --key-slot 31 --volume-key-file v --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - --keyfile-size 5 d <newer"},
		{func(ctx context.Context, c Cryptsetup) error { return c.AddKey(ctx, "d", a, b) },
			"luksAddKey --batch-mode --key-slot 31 --keyslot-cipher aes-xts-plain64 --keyslot-key-size 512 --new-keyfile-size 5 --pbkdf pbkdf2 --pbkdf-force-iterations 1000" +
				" --key-file - --keyfile-size 3 d - <oldnewer"},
		{func(ctx context.Context, c Cryptsetup) error { return c.AddKeyByVolumeKey(ctx, "d", "v", b) },
			"luksAddKey --batch-mode --key-slot 31 --keyslot-cipher aes-xts-plain64 --keyslot-key-size 512 --volume-key-file v --new-keyfile-size 5" +
				" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 d - <newer"},
		{func(ctx context.Context, c Cryptsetup) error {
			return c.OpenByVolumeKey(ctx, "d", "luks2-STATE", "v", []string{"same_cpu_crypt"})
		}, "open --type luks2 --volume-key-file v --perf-same_cpu_crypt d luks2-STATE <"},
		{func(ctx context.Context, c Cryptsetup) error {
			return c.Open(ctx, "d", "luks2-STATE", a, []string{"no_read_workqueue", "same_cpu_crypt"})
		}, "open --type luks2 --key-slot 1 --perf-no_read_workqueue --perf-same_cpu_crypt --key-file - --keyfile-size 3 d luks2-STATE <old"},
		{func(ctx context.Context, c Cryptsetup) error { return c.Test(ctx, "d", a) },
			"open --test-passphrase --type luks2 --key-slot 1 --key-file - --keyfile-size 3 d <old"},
		{func(ctx context.Context, c Cryptsetup) error { return c.KillSlot(ctx, "d", 7) }, "luksKillSlot --batch-mode d 7 <"},
		{func(ctx context.Context, c Cryptsetup) error { return c.ImportToken(ctx, "d", 7, []byte("{}")) },
			"token import --token-id 7 --token-replace --json-file - d <{}"},
		{func(ctx context.Context, c Cryptsetup) error { return c.RemoveToken(ctx, "d", 7) }, "token remove --token-id 7 d <"},
		{func(ctx context.Context, c Cryptsetup) error { return c.Repair(ctx, "d") }, "repair --batch-mode --type luks2 d <"},
		{func(ctx context.Context, c Cryptsetup) error { return c.Close(ctx, "m") }, "close m <"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := fake.New(t, nil)
			got := ""
			m.Programs[Program] = func(_ context.Context, c kernel.Command) error {
				stdin, err := io.ReadAll(c.Stdin)
				got = strings.Join(c.Args, " ") + " <" + string(stdin)
				return err
			}
			if err := tt.do(t.Context(), Cryptsetup{Processes: m}); err != nil || got != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, tt.want)
			}
		})
	}
}

// TestStatus reads what cryptsetup prints of a mapping.
func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		prints string
		code   int
		want   string
		fails  bool
	}{
		{"/dev/mapper/m is active and is in use.\n  type:    LUKS2\n  cipher:  aes-xts-plain64\n  device:  /dev/vda5\n  sector size:  512\n", 0, "/dev/vda5", false},
		{"/dev/mapper/m is inactive.\n", 4, "", false},
		{"", 1, "", true},
		{"?", 0, "", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := fake.New(t, nil)
			m.Programs[Program] = func(_ context.Context, c kernel.Command) error {
				fmt.Fprint(c.Stdout, tt.prints)
				if tt.code != 0 {
					return &kernel.ExitError{Program: Program, Code: tt.code}
				}
				return nil
			}
			if got, err := (Cryptsetup{Processes: m}).Mapped(t.Context(), "m"); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%q: %q, %v", tt.prints, got, err)
			}
		})
	}
}

// TestHangs is a cryptsetup that never ends.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		m.Programs[Program] = func(ctx context.Context, _ kernel.Command) error { <-ctx.Done(); return ctx.Err() }
		err := Cryptsetup{Processes: m}.KillSlot(t.Context(), "d", 1)
		if report.KindOf(err) != report.Unavailable || !strings.Contains(err.Error(), "cryptsetup luksKillSlot: not done after 20s") {
			t.Errorf("%v", err)
		}
	})
}

// TestReal does everything that needs no device mapper to a file, with the real program.
func TestReal(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := Cryptsetup{Processes: linux.New(), Program: oracle.Need(t, "cryptsetup")}
	name := filepath.Join(t.TempDir(), "volume")
	if err := os.WriteFile(name, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	slots := func() (tokens, slots []int) {
		t.Helper()
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, copies, err := luks2.Read(blob.Bytes(p))
		if err != nil || copies.Damaged() || h.Label != "L" {
			t.Fatalf("%+v, %v", copies, err)
		}
		for i := range luks2.Slots {
			if _, is := h.Keyslots[i]; is {
				slots = append(slots, i)
			}
			if _, is := h.Tokens[i]; is {
				tokens = append(tokens, i)
			}
		}
		return tokens, slots
	}
	human := Key{Slot: 2, Secret: []byte("a\nb\x00c"), KDF: Argon2id()}
	random := Key{Slot: 31, Secret: []byte("another"), KDF: Cheap()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o := FormatOptions{Label: "L", SectorSize: 4096}
	volumeKey := filepath.Join(t.TempDir(), "key")
	must(os.WriteFile(volumeKey, bytes.Repeat([]byte{7}, o.VolumeKeySize()), 0o600))
	must(c.Format(ctx, name, volumeKey, human, o))
	third := Key{Slot: 3, Secret: []byte("third"), KDF: Cheap()}
	must(c.AddKeyByVolumeKey(ctx, name, volumeKey, third))
	must(c.Test(ctx, name, third))
	must(c.KillSlot(ctx, name, 3))
	must(c.AddKey(ctx, name, human, random))
	must(c.Test(ctx, name, human))
	must(c.Test(ctx, name, random))
	if err := c.Test(ctx, name, Key{Slot: 31, Secret: human.Secret}); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the wrong key: %v", err)
	}
	if err := c.Test(ctx, name, Key{Slot: 5, Secret: human.Secret}); !errors.Is(err, ErrNoSlot) {
		t.Errorf("an empty slot: %v", err)
	}
	must(c.ImportToken(ctx, name, 31, []byte(`{"type":"t","keyslots":[],"UserData":{}}`)))
	must(c.ImportToken(ctx, name, 31, []byte(`{"type":"u","keyslots":[],"UserData":{"a":"b"}}`)))
	if tokens, used := slots(); !reflect.DeepEqual(tokens, []int{31}) || !reflect.DeepEqual(used, []int{2, 31}) {
		t.Errorf("tokens %v, slots %v", tokens, used)
	}
	must(c.KillSlot(ctx, name, 2))
	must(c.RemoveToken(ctx, name, 31))
	if tokens, used := slots(); tokens != nil || !reflect.DeepEqual(used, []int{31}) {
		t.Errorf("tokens %v, slots %v", tokens, used)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(err)
	_, err = f.WriteAt([]byte("damage"), 5000)
	must(errors.Join(err, f.Close()))
	must(c.Repair(ctx, name))
	slots()
	if err := c.KillSlot(ctx, name, 9); err == nil || !strings.Contains(err.Error(), "cryptsetup luksKillSlot: cryptsetup: exit status 1: ") {
		t.Errorf("a slot that is not there: %v", err)
	}
}
