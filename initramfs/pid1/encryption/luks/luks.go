// Package luks runs cryptsetup, which does everything to LUKS2 volumes that needs cryptography or the device mapper. Keys go
// through its standard input, so that no command line or file has one; but that of a volume that is being made is in a file in
// memory until then.
package luks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
)

// Program is where bases have cryptsetup.
const Program = "/usr/sbin/cryptsetup"

// Limits of one run: those that derive keys or write many key slots, and those that only read or change the header.
const (
	longLimit  = time.Minute
	shortLimit = 20 * time.Second
)

// KDF is how a passphrase becomes the key of its slot. Costs are given and not measured, so that a boot takes as long every
// time and no longer than it must.
type KDF struct {
	Type       string // argon2id or pbkdf2
	Iterations int    // forced
	Memory     int    // Argon2: in KiB
	Lanes      int    // Argon2
}

// Argon2id is for passphrases that people think up: the second recommendation of RFC 9106 with a pass more, as cryptsetup
// makes no fewer.
func Argon2id() KDF { return KDF{Type: "argon2id", Iterations: 4, Memory: 64 << 10, Lanes: 4} }

// Cheap is for random keys, which no derivation makes any harder to guess.
func Cheap() KDF { return KDF{Type: "pbkdf2", Iterations: 1000} }

func (k KDF) args() []string {
	args := []string{"--pbkdf", k.Type, "--pbkdf-force-iterations", strconv.Itoa(k.Iterations)}
	if k.Memory > 0 {
		args = append(args, "--pbkdf-memory", strconv.Itoa(k.Memory), "--pbkdf-parallel", strconv.Itoa(k.Lanes))
	}
	return args
}

// Key is what opens a slot.
type Key struct {
	Slot   int
	Secret []byte // the passphrase; not empty
	KDF    KDF
}

// FormatOptions are for Format; the zero value works.
type FormatOptions struct {
	Label      string // of the header
	Cipher     string // "" is aes-xts-plain64
	KeySize    int    // of the cipher in bits; 0 is 512, and 256 for Adiantum
	SectorSize int64  // of the encryption in bytes; 0 is 512
}

// VolumeKeySize is how many bytes the key has that the slots keep.
func (o FormatOptions) VolumeKeySize() int { return o.withDefaults().KeySize / 8 }

// ciphers are those that machines know, with the key sizes where none is given.
func (o FormatOptions) withDefaults() FormatOptions {
	if o.Cipher == "" {
		o.Cipher = "aes-xts-plain64"
	}
	if o.KeySize == 0 {
		o.KeySize = 512
		if strings.Contains(o.Cipher, "adiantum") {
			o.KeySize = 256
		}
	}
	if o.SectorSize == 0 {
		o.SectorSize = 512
	}
	return o
}

// Cryptsetup runs cryptsetup by Processes.
type Cryptsetup struct {
	Processes kernel.Processes
	Program   string                   // "" is Program
	Slow      func(func() error) error // runs what may take until longLimit; nil runs it here
}

// Errors that callers tell apart.
var (
	// ErrWrongKey is that a key does not open its slot.
	ErrWrongKey = report.Errorf(report.Negative, "the key does not open the slot")
	// ErrNoSlot is that there is no key in the slot.
	ErrNoSlot = report.Errorf(report.NotFound, "the slot is empty")
)

// Format writes a header with one key over what is at the start of device. volumeKey is a file in memory with the key that the
// slots are to keep, by which others are added and the volume is opened without a slot's key being derived again. The key slots
// are always encrypted with AES, which cryptsetup can do by itself whatever the kernel knows.
func (c Cryptsetup) Format(ctx context.Context, device, volumeKey string, k Key, o FormatOptions) error {
	o = o.withDefaults()
	args := []string{"luksFormat", "--batch-mode", "--type", "luks2", "--cipher", o.Cipher, "--key-size", strconv.Itoa(o.KeySize),
		"--sector-size", strconv.FormatInt(o.SectorSize, 10), "--keyslot-cipher", "aes-xts-plain64", "--keyslot-key-size", "512",
		"--key-slot", strconv.Itoa(k.Slot), "--volume-key-file", volumeKey}
	if o.Label != "" {
		args = append(args, "--label", o.Label)
	}
	_, err := c.run(ctx, longLimit, k.Secret, append(append(args, k.KDF.args()...), keyOnStdin(k.Secret, device)...)...)
	return err
}

// Test says whether k opens its slot: nil, ErrWrongKey, ErrNoSlot, or another error.
func (c Cryptsetup) Test(ctx context.Context, device string, k Key) error {
	args := append([]string{"open", "--test-passphrase", "--type", "luks2", "--key-slot", strconv.Itoa(k.Slot)}, keyOnStdin(k.Secret, device)...)
	_, err := c.run(ctx, longLimit, k.Secret, args...)
	return opening(err)
}

// Open maps device to /dev/mapper/name with the key in k's slot. Options are those of the configuration, such as
// no_read_workqueue. The errors are those of Test.
func (c Cryptsetup) Open(ctx context.Context, device, name string, k Key, options []string) error {
	args := append([]string{"open", "--type", "luks2", "--key-slot", strconv.Itoa(k.Slot)}, performance(options)...)
	_, err := c.run(ctx, longLimit, k.Secret, append(append(args, keyOnStdin(k.Secret, device)...), name)...)
	return opening(err)
}

// OpenByVolumeKey is Open with the key that the slots keep.
func (c Cryptsetup) OpenByVolumeKey(ctx context.Context, device, name, volumeKey string, options []string) error {
	args := append([]string{"open", "--type", "luks2", "--volume-key-file", volumeKey}, performance(options)...)
	_, err := c.run(ctx, longLimit, nil, append(args, device, name)...)
	return err
}

// performance are the arguments for options of the configuration.
func performance(options []string) (args []string) {
	for _, o := range options {
		args = append(args, "--perf-"+o)
	}
	return args
}

// opening tells what cryptsetup's exit status says of a key (cryptsetup(8), RETURN CODES).
func opening(err error) error {
	failed, ok := errors.AsType[*kernel.ExitError](err)
	switch {
	case ok && failed.Code == 2:
		return ErrWrongKey
	case ok && failed.Code == 1 && strings.Contains(failed.Said, "No usable keyslot"):
		return ErrNoSlot
	}
	return err
}

// AddKey puts a key into its empty slot; by is one that opens the volume already.
func (c Cryptsetup) AddKey(ctx context.Context, device string, by, k Key) error {
	stdin := append(bytes.Clone(by.Secret), k.Secret...)
	args := append([]string{"luksAddKey", "--batch-mode", "--key-slot", strconv.Itoa(k.Slot), "--keyslot-cipher", "aes-xts-plain64", "--keyslot-key-size", "512",
		"--new-keyfile-size", strconv.Itoa(len(k.Secret))}, k.KDF.args()...)
	_, err := c.run(ctx, longLimit, stdin, append(append(args, keyOnStdin(by.Secret, device)...), "-")...)
	return err
}

// AddKeyByVolumeKey is AddKey with the key that the slots keep.
func (c Cryptsetup) AddKeyByVolumeKey(ctx context.Context, device, volumeKey string, k Key) error {
	args := append([]string{"luksAddKey", "--batch-mode", "--key-slot", strconv.Itoa(k.Slot), "--keyslot-cipher", "aes-xts-plain64", "--keyslot-key-size", "512",
		"--volume-key-file", volumeKey, "--new-keyfile-size", strconv.Itoa(len(k.Secret))}, k.KDF.args()...)
	_, err := c.run(ctx, longLimit, k.Secret, append(args, device, "-")...)
	return err
}

// keyOnStdin lets the key be read from standard input, as many bytes as it has, whatever they are.
func keyOnStdin(secret []byte, device string) []string {
	return []string{"--key-file", "-", "--keyfile-size", strconv.Itoa(len(secret)), device}
}

// KillSlot removes the key of a slot, without asking for another one.
func (c Cryptsetup) KillSlot(ctx context.Context, device string, slot int) error {
	_, err := c.run(ctx, shortLimit, nil, "luksKillSlot", "--batch-mode", device, strconv.Itoa(slot))
	return err
}

// ImportToken writes the token of that number, over one that is there. token is a JSON object.
func (c Cryptsetup) ImportToken(ctx context.Context, device string, id int, token []byte) error {
	_, err := c.run(ctx, shortLimit, token, "token", "import", "--token-id", strconv.Itoa(id), "--token-replace", "--json-file", "-", device)
	return err
}

// RemoveToken removes the token of that number.
func (c Cryptsetup) RemoveToken(ctx context.Context, device string, id int) error {
	_, err := c.run(ctx, shortLimit, nil, "token", "remove", "--token-id", strconv.Itoa(id), device)
	return err
}

// Repair writes a damaged copy of the header anew from the whole one.
func (c Cryptsetup) Repair(ctx context.Context, device string) error {
	_, err := c.run(ctx, shortLimit, nil, "repair", "--batch-mode", "--type", "luks2", device)
	return err
}

// Mapped is the device that is open as /dev/mapper/name, or "" where there is none.
func (c Cryptsetup) Mapped(ctx context.Context, name string) (device string, err error) {
	out, err := c.run(ctx, shortLimit, nil, "status", name)
	const inactive = 4
	if failed, ok := errors.AsType[*kernel.ExitError](err); ok && failed.Code == inactive {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "device" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("cryptsetup status: no device in %.200q", out)
}

// Close ends the mapping of that name.
func (c Cryptsetup) Close(ctx context.Context, name string) error {
	_, err := c.run(ctx, shortLimit, nil, "close", name)
	return err
}

// run runs cryptsetup to its end, or that of limit. The error begins with what was asked of it.
func (c Cryptsetup) run(ctx context.Context, limit time.Duration, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, report.Errorf(report.Unavailable, "not done after %s", limit))
	defer cancel()
	command := kernel.Command{Path: cmp.Or(c.Program, Program), Args: args, Stdin: bytes.NewReader(stdin)}
	var out []byte
	run := func() (err error) {
		out, err = kernel.Output(ctx, c.Processes, command)
		return err
	}
	if c.Slow == nil || limit < longLimit {
		c.Slow = func(run func() error) error { return run() }
	}
	err := c.Slow(run)
	if err != nil {
		err = fmt.Errorf("cryptsetup %s: %w", args[0], err)
	}
	return out, err
}
