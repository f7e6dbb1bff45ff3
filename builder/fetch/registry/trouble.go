package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/bootwright/bootwright/internal/report"
)

// retryAfter is a refusal with how long the registry wants to be left alone (RFC 9110 section 10.2.3).
type retryAfter struct {
	error
	header string // seconds or a date; may be empty
}

// wait is how long that is, or nothing where it is not said.
func (e retryAfter) wait(now time.Time) time.Duration {
	if s, err := strconv.Atoi(e.header); err == nil {
		return time.Duration(min(s, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(e.header); err == nil {
		return at.Sub(now)
	}
	return 0
}

func (e retryAfter) Unwrap() error { return e.error }

// retry does what may fail in passing a few times, and gives the last error its kind.
func (e *endpoint) retry(ctx context.Context, last bool, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if err == nil || n >= e.attempts(last) || !passing(err) || !e.pause(ctx, n, err) {
			e.note(ctx, err)
			return e.explain(ctx, err)
		}
	}
}

// attempts is how often to ask. Where others can be asked, an endpoint gets one more chance only.
func (e *endpoint) attempts(last bool) int {
	if last {
		return e.c.opts.Attempts
	}
	return min(e.c.opts.Attempts, 2)
}

// note remembers an endpoint that is down, so that the rest of a build does not wait for it each time.
func (e *endpoint) note(ctx context.Context, err error) {
	down := err != nil && ctx.Err() == nil && (passing(err) || unreachable(err))
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if down {
		e.c.down[e.URL.String()] = true
	}
}

func (c *Client) isDown(e *endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down[e.URL.String()]
}

// unreachable reports whether nobody was there to answer.
func unreachable(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

// pause waits before the attempt after the nth, and reports whether ctx let it.
func (e *endpoint) pause(ctx context.Context, n int, err error) bool {
	wait := e.c.opts.Pause << min(n-1, 10)
	if refusal, ok := errors.AsType[retryAfter](err); ok {
		wait = max(wait, min(refusal.wait(time.Now()), time.Minute))
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// passing reports whether the same request may work in a moment.
func passing(err error) bool {
	if e, ok := errors.AsType[*transport.Error](err); ok {
		return e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusRequestTimeout || e.StatusCode >= 500
	}
	_, isReport := errors.AsType[*report.Error](err)
	return !isReport && !tlsTrouble(err) && !unreachable(err) && !errors.Is(err, errPlain)
}

// tlsTrouble reports whether the two sides could not agree on TLS.
func tlsTrouble(err error) bool {
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return cert || alert || speaksHTTP(err)
}

// speaksHTTP recognizes a server without TLS; net/http has no type for it.
func speaksHTTP(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// explain gives an error of the registry or the network its kind, and a hint where one helps.
func (e *endpoint) explain(ctx context.Context, err error) error {
	host := e.target.RegistryStr()
	answer, refused := errors.AsType[*transport.Error](err)
	_, done := errors.AsType[*report.Error](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return report.Errorf(report.Canceled, "%w", context.Cause(ctx))
	case done:
		return served(err)
	case refused && answer.StatusCode == http.StatusNotFound:
		return report.Errorf(report.NotFound, "%s", plain(err))
	case refused && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return report.WithHint(report.Errorf(report.Unavailable, "%s gives no access: %s", host, plain(err)),
			"log in with `docker login %s`, or check the name: many registries say this of a repository that does not exist", host)
	case (speaksHTTP(err) || errors.Is(err, errPlain)) && e.Origin:
		return report.WithHint(report.Errorf(report.Unavailable, "%s", plain(err)), "where a registry has no TLS, write http://%s", e.ref.Name)
	}
	return report.Errorf(report.Unavailable, "%s", plain(err))
}

// lacksAPI makes NotFound of how registries say that they do not know such requests.
func lacksAPI(err error) error {
	if e, ok := errors.AsType[*transport.Error](err); ok && e.StatusCode >= 400 && e.StatusCode < 500 &&
		!slices.Contains([]int{401, 403, 408, 429}, e.StatusCode) {
		return report.Errorf(report.NotFound, "no list of referrers: %s", plain(err))
	}
	return err
}

// plain is what err says, fit for a terminal: it may repeat a page that a server sent.
func plain(err error) string {
	s := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, err.Error())
	return fmt.Sprintf("%.500s", s)
}
