package kms

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

const (
	servicePath = "/sidero.kms.KMSService/"
	contentType = "application/grpc"
)

// Timeout is how long a service has to answer.
const Timeout = 10 * time.Second

// Client asks a service. The zero value of what is not Endpoint works.
type Client struct {
	// Endpoint is https://HOST[:PORT], or without TLS grpc://HOST:PORT or http://HOST[:PORT].
	Endpoint string
	// TLS says whose certificates are trusted, and at what time; nil is as package crypto/tls does.
	TLS *tls.Config
	// Dial connects to an address, for tests; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Seal seals data for the machine nodeUUID. An error of kind Unavailable says that the service did not answer, or that it
// asks for another attempt; any other, that it refused.
func (c Client) Seal(ctx context.Context, nodeUUID string, data []byte) ([]byte, error) {
	return c.ask(ctx, "Seal", Request{NodeUUID: nodeUUID, Data: data})
}

// Unseal is the reverse of Seal.
func (c Client) Unseal(ctx context.Context, nodeUUID string, data []byte) ([]byte, error) {
	return c.ask(ctx, "Unseal", Request{NodeUUID: nodeUUID, Data: data})
}

func (c Client) ask(ctx context.Context, method string, q Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	transport := c.transport()
	defer transport.CloseIdleConnections()
	answer, err := call(ctx, transport, base+servicePath+method, q)
	if err != nil {
		return nil, fmt.Errorf("kms %s: %w", c.Endpoint, err)
	}
	if len(answer.Data) == 0 {
		return nil, report.Errorf(report.Invalid, "kms %s: %s gave nothing", c.Endpoint, method)
	}
	return answer.Data, nil
}

// base is the endpoint as net/http has it.
func (c Client) base() (string, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Hostname() == "" {
		return "", report.Errorf(report.Invalid, "kms: the endpoint %.100q is not a URL with a host", c.Endpoint)
	}
	switch u.Scheme {
	case "https", "http":
		return u.Scheme + "://" + u.Host, nil
	case "grpc":
		return "http://" + u.Host, nil
	}
	return "", report.Errorf(report.Invalid, "kms: the endpoint %.100q has another scheme than https, grpc and http", c.Endpoint)
}

// transport speaks HTTP/2 only, with TLS or without.
func (c Client) transport() *http.Transport {
	t := &http.Transport{DialContext: c.Dial, TLSClientConfig: &tls.Config{}, Protocols: &http.Protocols{}}
	if c.TLS != nil {
		t.TLSClientConfig = c.TLS.Clone()
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

func call(ctx context.Context, t *http.Transport, address string, q encoding.BinaryMarshaler) (*Response, error) {
	message, err := q.MarshalBinary()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(appendFrame(nil, message)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Te", "trailers")
	request.Header.Set("User-Agent", "bootwright")
	if deadline, ok := ctx.Deadline(); ok {
		request.Header.Set("Grpc-Timeout", strconv.FormatInt(time.Until(deadline).Milliseconds(), 10)+"m")
	}
	answer, err := t.RoundTrip(request)
	if err != nil {
		return nil, report.Errorf(report.Unavailable, "%w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, report.Errorf(report.Unavailable, "the server answers %q", answer.Status)
	}
	return receive(answer)
}

// receive reads an answer. Its trailers come after the body; a server that has only an error to send may put them into the
// headers.
func receive(answer *http.Response) (*Response, error) {
	message, err := readFrame(answer.Body)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, report.Errorf(report.Unavailable, "%w", err)
	}
	status := cmp.Or(answer.Trailer.Get("Grpc-Status"), answer.Header.Get("Grpc-Status"))
	if status != "0" {
		text, _ := url.PathUnescape(cmp.Or(answer.Trailer.Get("Grpc-Message"), answer.Header.Get("Grpc-Message")))
		return nil, &StatusError{Code: code(status), Message: text}
	}
	r := &Response{}
	if err := r.UnmarshalBinary(message); err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	return r, nil
}

// Code is a status of gRPC.
type Code int

// The codes that are used here.
const (
	OK               Code = 0
	Unknown          Code = 2
	InvalidArgument  Code = 3
	PermissionDenied Code = 7
	Unimplemented    Code = 12
	Internal         Code = 13
	Unavailable      Code = 14
)

// code reads a status; a missing or mad one is Unknown.
func code(s string) Code {
	n, err := strconv.ParseUint(s, 10, 5)
	if err != nil {
		return Unknown
	}
	return Code(n)
}

// StatusError is what a service says instead of an answer.
type StatusError struct {
	Code    Code
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the service refuses with gRPC status %d: %.300q", e.Code, e.Message)
}
