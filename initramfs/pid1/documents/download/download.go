// Package download fetches machine configurations over HTTP and HTTPS, and unpacks what comes from outside.
package download

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MaxText bounds a configuration that comes from outside, in bytes; it is what machine/config takes.
const MaxText = 16 << 20

// Client fetches configurations over HTTP and HTTPS. Servers of the latter must be known to the machine's certificate
// authorities.
type Client struct {
	// Dial connects, as net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the time that certificates must be valid at.
	Now func() time.Time
	// Roots are the authorities at the time; nil is those of the system.
	Roots func() *x509.CertPool
	// Proxy is that of http.Transport; nil is none.
	Proxy func(*http.Request) (*url.URL, error)
}

// The limits of one attempt.
const (
	attempt     = 30 * time.Second
	connectTime = 10 * time.Second
)

// Get fetches what is at an address. Errors name neither what comes after "?" in it nor a password.
func (d Client) Get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	secure := &tls.Config{Time: d.Now}
	if d.Roots != nil {
		secure.RootCAs = d.Roots()
	}
	transport := &http.Transport{
		DialContext: d.Dial, Proxy: d.Proxy, TLSClientConfig: secure, TLSHandshakeTimeout: connectTime, DisableKeepAlives: true,
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, bare(err)
	}
	q.Header.Set("User-Agent", "bootwright")
	answer, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil {
		return nil, bare(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %q", answer.Status)
	}
	text, err := limited(answer.Body)
	if err != nil {
		return nil, bare(err)
	}
	return Check(text)
}

// bare is err without the address that package net/http puts before it, and without port numbers that are others the next
// time: the same fault has the same words.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Errorf("nobody knows the name %s", dns.Name)
		}
		return fmt.Errorf("no name server answers for %s", dns.Name)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Source != nil && op.Addr != nil {
		return fmt.Errorf("%s %s: %w", op.Op, op.Addr, op.Err)
	}
	return err
}

func limited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxText+1))
	if err == nil && len(text) > MaxText {
		err = fmt.Errorf("more than %d bytes", MaxText)
	}
	return text, err
}

// Check unpacks what is compressed (gzip) and refuses what is obviously something else.
func Check(text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if text, err = limited(z); err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
	}
	switch start := bytes.ToLower(bytes.TrimSpace(text[:min(len(text), 512)])); {
	case len(start) == 0:
		return nil, errors.New("there is nothing in it")
	case bytes.HasPrefix(start, []byte("<!doctype html")), bytes.HasPrefix(start, []byte("<html")):
		return nil, errors.New("it is a page for browsers, not a machine configuration")
	}
	return text, nil
}

// Variables are what a URL may ask for, each as ${name}; what is not known is "".
type Variables struct{ UUID, Serial, MAC, Hostname string }

// Expand puts the variables into a URL, escaped. The error names those that are not known, or that nobody has.
func Expand(address string, v Variables) (string, error) {
	var out strings.Builder
	var unknown []string
	for rest := address; ; {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return "", errors.New("${ without }")
		}
		value, known := map[string]string{"uuid": v.UUID, "serial": v.Serial, "mac": v.MAC, "hostname": v.Hostname}[name]
		if !known {
			return "", fmt.Errorf("there is no variable ${%.40s}; there are ${uuid}, ${serial}, ${mac} and ${hostname}", name)
		}
		if value == "" {
			unknown = append(unknown, "${"+name+"}")
		}
		out.WriteString(strings.ReplaceAll(url.QueryEscape(value), "+", "%20")) // good in paths and queries alike
		rest = tail
	}
	if unknown != nil {
		return "", fmt.Errorf("%w: %s", ErrUnknown, strings.Join(unknown, ", "))
	}
	return out.String(), nil
}

// ErrUnknown is that a URL asks for what the machine does not know, or not yet.
var ErrUnknown = errors.New("the machine does not know its")
