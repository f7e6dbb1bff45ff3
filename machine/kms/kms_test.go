package kms

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

const node = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

// TestWire holds messages against bytes worked out by hand from the encoding's description.
func TestWire(t *testing.T) {
	q, _ := Request{NodeUUID: "ab", Data: []byte{1, 2, 3}}.MarshalBinary()
	if got, want := hex.EncodeToString(appendFrame(nil, q)), "00"+"00000009"+"0a026162"+"1203010203"; got != want {
		t.Errorf("request %s; want %s", got, want)
	}
	r, _ := Response{Data: bytes.Repeat([]byte{7}, 300)}.MarshalBinary()
	if got, want := hex.EncodeToString(r[:5]), "0aac020707"; got != want {
		t.Errorf("response %s; want %s", got, want)
	}
	if empty, _ := (Response{}).MarshalBinary(); len(empty) != 0 {
		t.Errorf("an empty response is %x", empty)
	}
	// A varint, a fixed64, a fixed32 and bytes of unknown numbers between the known ones.
	mixed, _ := hex.DecodeString("18ac02" + "0a0161" + "210102030405060708" + "2d01020304" + "3201ff" + "120162")
	var got Request
	if err := got.UnmarshalBinary(mixed); err != nil || !reflect.DeepEqual(got, Request{"a", []byte("b")}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"0a", "0a02", "0a0261", "18", "18ff", "2101", "0affffffffffffffffff01", "0b", "ffffffffffffffffffff01"} {
		p, _ := hex.DecodeString(bad)
		if err := new(Response).UnmarshalBinary(p); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	for _, bad := range []string{"00", "0100000000", "00ffffffff", "000000000261", "0000000000" + "00"} {
		p, _ := hex.DecodeString(bad)
		if m, err := readFrame(bytes.NewReader(p)); err == nil {
			t.Errorf("%s was read as %x", bad, m)
		}
	}
}

// serve is the service of s with TLS or without, and a client for it.
func serve(t *testing.T, h http.Handler, secure bool) Client {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	t.Cleanup(s.Close)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.Protocols.SetHTTP2(true)
	s.EnableHTTP2 = true
	if !secure {
		s.Start()
		return Client{Endpoint: strings.Replace(s.URL, "http:", "grpc:", 1)}
	}
	s.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return Client{Endpoint: s.URL, TLS: &tls.Config{RootCAs: roots}}
}

func sealing(t *testing.T, key string) *Server {
	t.Helper()
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Seal: s.Seal, Unseal: s.Unseal}
}

func TestSealAndUnseal(t *testing.T) {
	t.Parallel()
	key := NewKey()
	for _, secure := range []bool{true, false} {
		c := serve(t, sealing(t, key), secure)
		sealed, err := c.Seal(t.Context(), node, []byte("key"))
		if err != nil || bytes.Contains(sealed, []byte("key")) || len(sealed) != 12+3+16 {
			t.Fatalf("%x, %v", sealed, err)
		}
		if again, _ := c.Seal(t.Context(), node, []byte("key")); bytes.Equal(again, sealed) {
			t.Error("the same nonce twice")
		}
		other := serve(t, sealing(t, key), !secure) // the same key in another server
		if data, err := other.Unseal(t.Context(), node, sealed); err != nil || string(data) != "key" {
			t.Errorf("%q, %v", data, err)
		}
		for name, refused := range map[string]error{
			"another machine": second(c.Unseal(t.Context(), "x"+node, sealed)),
			"another key":     second(serve(t, sealing(t, NewKey()), secure).Unseal(t.Context(), node, sealed)),
			"a changed bit":   second(c.Unseal(t.Context(), node, append(sealed[:30:30], sealed[30]^1))),
		} {
			status, ok := errors.AsType[*StatusError](refused)
			if !ok || status.Code != PermissionDenied || !strings.Contains(refused.Error(), "not sealed here for this machine") {
				t.Errorf("%s: %v", name, refused)
			}
		}
		if err := second(c.Seal(t.Context(), "", []byte("key"))); err == nil || !strings.Contains(err.Error(), "node_uuid") {
			t.Errorf("no UUID: %v", err)
		}
	}
}

func second(_ []byte, err error) error { return err }

// TestServices are those that do not behave.
func TestServices(t *testing.T) {
	t.Parallel()
	failing := func(err error) *Server {
		return &Server{Seal: func(context.Context, Request) ([]byte, error) { return nil, err }}
	}
	for _, tt := range []struct {
		name      string
		handler   http.Handler
		want      string
		unreached bool // no answer of the service, as far as can be seen
	}{
		{"overloaded", failing(&StatusError{Unavailable, "come back: 100% busy\n"}), `status 14: "come back: 100% busy\n"`, false},
		{"broken", failing(errors.New("disk")), `status 13: "disk"`, false},
		{"old", &Server{}, "status 12", false},
		{"nothing sealed", &Server{Seal: func(context.Context, Request) ([]byte, error) { return nil, nil }}, "gave nothing", false},
		{"a web server", http.NotFoundHandler(), `answers "404`, true},
		{"no trailers", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(appendFrame(nil, []byte("\n\x01a"))) }), "status 2", false},
		{"status first", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "7") }), "status 7", false},
		{"endless", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0, 255, 255, 255, 255}) }), "4294967295 bytes", true},
		{"rubbish", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Grpc-Status")
			w.Write(appendFrame(nil, []byte("rubbish")))
			w.Header().Set("Grpc-Status", "0")
		}), "cut off", false},
	} {
		_, err := serve(t, tt.handler, false).Seal(t.Context(), node, []byte("key"))
		if err == nil || !strings.Contains(err.Error(), tt.want) || (report.KindOf(err) == report.Unavailable) != tt.unreached {
			t.Errorf("%s: %v (%s); want %q, %v", tt.name, err, report.KindOf(err), tt.want, tt.unreached)
		}
	}
}

func TestNoService(t *testing.T) {
	t.Parallel()
	silent := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}), false)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := silent.Seal(ctx, node, []byte("key")); report.KindOf(err) != report.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	if _, err := (Client{Endpoint: "grpc://127.0.0.1:1"}).Seal(t.Context(), node, []byte("key")); report.KindOf(err) != report.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	untrusted := serve(t, sealing(t, NewKey()), true)
	untrusted.TLS = nil
	if _, err := untrusted.Seal(t.Context(), node, []byte("key")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	for _, bad := range []string{"", "host:1", "ftp://host", "https://", "://"} {
		if _, err := (Client{Endpoint: bad}).Seal(t.Context(), node, []byte("key")); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestBadKeys(t *testing.T) {
	for _, bad := range []string{"", "AAAA", strings.Repeat("*", 44), base64.StdEncoding.EncodeToString(make([]byte, 33))} {
		if _, err := NewSealer(bad); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x0a\x02ab\x12\x03\x01\x02\x03"))
	f.Add([]byte("\x18\xac\x02\x21\x01\x02\x03\x04\x05\x06\x07\x08\x2d\x01\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, p []byte) {
		readFrame(bytes.NewReader(p))
		var q, again Request
		if q.UnmarshalBinary(p) != nil {
			return
		}
		out, _ := q.MarshalBinary()
		if err := again.UnmarshalBinary(out); err != nil || again.NodeUUID != q.NodeUUID || !bytes.Equal(again.Data, q.Data) {
			t.Errorf("%+v became %+v, %v", q, again, err)
		}
	})
}
