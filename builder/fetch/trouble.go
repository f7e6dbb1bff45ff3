package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/bootwright/bootwright/internal/report"
)

// retryAfter is a refusal with the seconds that the registry wants to be left alone.
type retryAfter struct {
	error
	seconds string
}

func (e retryAfter) Unwrap() error { return e.error }

// retry does what may fail in passing, Options.Attempts times at most, and gives the last error its kind.
func (r registry) retry(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if err == nil || n >= r.c.opts.Attempts || !passing(err) || !r.pause(ctx, n, err) {
			return r.explain(ctx, err)
		}
	}
}

// pause waits before the attempt after the nth, and reports whether ctx let it.
func (r registry) pause(ctx context.Context, n int, err error) bool {
	wait := r.c.opts.Pause << min(n-1, 10)
	if e, ok := errors.AsType[retryAfter](err); ok {
		if s, err := strconv.Atoi(e.seconds); err == nil {
			wait = max(wait, time.Duration(min(s, 60))*time.Second)
		}
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
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return !e.IsNotFound
	}
	for _, lasting := range []error{errPlain, syscall.ECONNREFUSED, syscall.EHOSTUNREACH} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	_, isReport := errors.AsType[*report.Error](err)
	return !isReport && !tlsTrouble(err)
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
func (r registry) explain(ctx context.Context, err error) error {
	host := r.repo.RegistryStr()
	e, refused := errors.AsType[*transport.Error](err)
	_, done := errors.AsType[*report.Error](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return report.Errorf(report.Canceled, "%w", context.Cause(ctx))
	case done:
		return served(err)
	case refused && e.StatusCode == http.StatusNotFound:
		return report.Errorf(report.NotFound, "%s", plain(err))
	case refused && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden):
		return report.WithHint(report.Errorf(report.Unavailable, "%s gives no access: %s", host, plain(err)),
			"log in with `docker login %s`, or check the name: many registries say this of a repository that does not exist", host)
	case speaksHTTP(err) || errors.Is(err, errPlain):
		return report.WithHint(report.Errorf(report.Unavailable, "%s", plain(err)), "where a registry has no TLS, write http://%s", r.ref.Name)
	}
	return report.Errorf(report.Unavailable, "%s", plain(err))
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
