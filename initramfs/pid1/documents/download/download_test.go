package download

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	v := Variables{UUID: "u-1", Serial: "a b&c", MAC: "52:54:00:00:00:01"}
	for in, want := range map[string]string{
		"http://h/${uuid}.yaml": "http://h/u-1.yaml", "http://h/?s=${serial}&m=${mac}": "http://h/?s=a%20b%26c&m=52%3A54%3A00%3A00%3A00%3A01",
		"http://h/$": "http://h/$", "http://h/": "http://h/",
		"http://h/${hostname}/${hostname}": "error: the machine does not know its: ${hostname}, ${hostname}",
		"http://h/${uid}":                  "error: there is no variable ${uid}; there are ${uuid}, ${serial}, ${mac} and ${hostname}",
		"http://h/${uuid":                  "error: ${ without }",
	} {
		got, err := Expand(in, v)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func client() Client {
	return Client{Dial: (&net.Dialer{}).DialContext, Now: time.Now}
}

func TestGet(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/good": "version: v1alpha1\n", "/gzip": zipped("version: v1alpha1\n"), "/empty": " \n", "/page": "<!DOCTYPE html><html>",
		"/broken": "\x1f\x8bnonsense", "/large": strings.Repeat("#", MaxText+1), "/bomb": zipped(strings.Repeat("#", MaxText+1)),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		w.Write([]byte(text))
	}))
	defer s.Close()
	for path, want := range map[string]string{
		"/good": "version: v1alpha1\n", "/gzip": "version: v1alpha1\n", "/empty": "nothing in it", "/page": "page for browsers", "/broken": "gzip",
		"/large": "more than 16777216 bytes", "/bomb": "unpack gzip: more than", "/other": `the server answers "418 I'm a teapot"`,
	} {
		text, err := client().Get(t.Context(), s.URL+path)
		if err != nil {
			text = []byte(err.Error())
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %.200s, want %s", path, text, want)
		}
	}
	s.Close()
	_, err := client().Get(t.Context(), strings.Replace(s.URL, "://", "://user:hunter2@", 1)+"/x?token=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestBare(t *testing.T) {
	t.Parallel()
	from := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40001}
	to := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 80}
	for want, err := range map[string]error{
		"read 10.0.0.9:80: reset":      &url.Error{Op: "Get", URL: "http://h?s=secret", Err: &net.OpError{Op: "read", Net: "tcp", Source: from, Addr: to, Err: errors.New("reset")}},
		"nobody knows the name h":      &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "h", IsNotFound: true, Server: "10.0.0.53:53"}},
		"no name server answers for h": &net.DNSError{Name: "h", Err: "read udp 10.0.0.2:40001->10.0.0.53:53: i/o timeout", IsTimeout: true},
		"other":                        errors.New("other"),
	} {
		if got := bare(err).Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestTLS: certificates are checked, against the time that the machine can be sure of.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("a: b")) }))
	defer s.Close()
	s.Config.ErrorLog = nil
	if _, err := client().Get(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

// FuzzCheck: whatever comes from outside, looking at it ends.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("a: ${uuid}"))
	f.Add([]byte(zipped("a: b")))
	f.Fuzz(func(t *testing.T, p []byte) {
		if text, err := Check(p); err == nil && len(text) > MaxText {
			t.Errorf("%d bytes", len(text))
		}
		Expand(string(p), Variables{})
	})
}
