package tpm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// start starts swtpm with the state in dir, as a machine does at its boot, and measures into PCRs.
func start(t *testing.T, dir string, measured map[int]string) TPM {
	t.Helper()
	socket := oracle.TPM(t, dir, "server", "--flags", "not-need-init,startup-clear", "--log", "file="+filepath.Join(t.TempDir(), "log"))
	device := TPM{Open: func() (transport.TPMCloser, error) { return linuxudstpm.Open(socket) }}
	for pcr, what := range measured {
		measure(t, device, pcr, what)
	}
	return device
}

// measure extends a PCR by 32 bytes that begin with what.
func measure(t *testing.T, d TPM, pcr int, what string) {
	t.Helper()
	c, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	digest := make([]byte, 32)
	copy(digest, what)
	_, err = tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: digest}}},
	}.Execute(c)
	if err != nil {
		t.Fatal(err)
	}
}

// TestBoots seals in one boot and unseals in others.
func TestBoots(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	first := map[int]string{7: "secure boot on", 11: "image 1"}
	secret := bytes.Repeat([]byte("s"), 32)
	var sealed Sealed
	t.Run("seal", func(t *testing.T) {
		d := start(t, state, first)
		var err error
		if sealed, err = d.Seal(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Unseal(t.Context(), sealed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("the same boot: %q, %v", got, err)
		}
		measure(t, d, 11, "later")
		if _, err := d.Unseal(t.Context(), sealed); !errors.Is(err, ErrMeasured) {
			t.Errorf("after something else was measured: %v", err)
		}
	})
	text, err := json.Marshal(sealed)
	var members map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &members) != nil || len(members) != 7 || bytes.Contains(text, secret) || string(members["pcrs"]) != "[7,11]" {
		t.Errorf("%s, %v", text, err)
	}
	var again Sealed
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, sealed) {
		t.Errorf("%+v, %v", again, err)
	}
	for _, tt := range []struct {
		name     string
		state    string
		measured map[int]string
		want     error
	}{
		{"same", state, first, nil},
		{"another image", state, map[int]string{7: "secure boot on", 11: "image 2"}, ErrMeasured},
		{"secure boot off", state, map[int]string{7: "secure boot off", 11: "image 1"}, ErrMeasured},
		{"another TPM", t.TempDir(), first, ErrOtherTPM},
	} {
		t.Run(tt.name, func(t *testing.T) { // one after another: they share the state
			got, err := start(t, tt.state, tt.measured).Unseal(t.Context(), again)
			if !errors.Is(err, tt.want) || tt.want == nil && !bytes.Equal(got, secret) {
				t.Errorf("%q, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// TestNothingMeasured is a machine whose firmware measures nothing, or no UKI.
func TestNothingMeasured(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), map[int]string{7: "x"})
	if _, err := d.Seal(t.Context(), []byte("secret")); report.KindOf(err) != report.Unsupported || !strings.Contains(err.Error(), "PCR 11") {
		t.Errorf("%v", err)
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), map[int]string{7: "a", 11: "b"})
	sealed, err := d.Seal(t.Context(), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil func(s *Sealed)
		want  report.Kind
	}{
		"empty":         {func(s *Sealed) { *s = Sealed{} }, report.Unsupported},
		"other PCRs":    {func(s *Sealed) { s.PCRs = []int{11} }, report.Unsupported},
		"other bank":    {func(s *Sealed) { s.Bank = "sha1" }, report.Unsupported},
		"cut":           {func(s *Sealed) { s.Private = s.Private[:9] }, report.Invalid},
		"no blobs":      {func(s *Sealed) { s.Private, s.Public = nil, nil }, report.Invalid},
		"changed":       {func(s *Sealed) { s.Private[20] ^= 1 }, report.Invalid},
		"another's key": {func(s *Sealed) { s.KeyName[5] ^= 1 }, report.Negative},
	} {
		bad := sealed
		bad.Private, bad.KeyName = bytes.Clone(sealed.Private), bytes.Clone(sealed.KeyName)
		tt.spoil(&bad)
		if _, err := d.Unseal(t.Context(), bad); report.KindOf(err) != tt.want {
			t.Errorf("%s: %v of kind %v; want %v", name, err, report.KindOf(err), tt.want)
		}
	}
}

func TestNoTPM(t *testing.T) {
	t.Parallel()
	missing := TPM{Open: func() (transport.TPMCloser, error) { return nil, os.ErrNotExist }}
	if _, err := missing.Seal(t.Context(), []byte("x")); report.KindOf(err) != report.Unavailable || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hung := TPM{Open: func() (transport.TPMCloser, error) { <-release; return nil, os.ErrNotExist }}
		if _, err := hung.Seal(t.Context(), []byte("x")); report.KindOf(err) != report.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(release)
	})
}
