// Package report is how bootwright says what is wrong: one error type with a kind and a hint, and a list of findings
// with their place in a document. The kind decides the exit code (cmd) and the HTTP status (factory), each in one table.
package report

import (
	"errors"
	"fmt"
)

// Kind says whose turn it is to act on an error.
type Kind int

// The kinds.
const (
	Internal    Kind = iota // a defect of bootwright, or an error nobody gave a kind
	Invalid                 // the input is wrong: the person who wrote it can mend it
	NotFound                // something named does not exist
	Unsupported             // well formed, but not something bootwright does
	Unavailable             // a registry, disk or other machine did not do its part; later may be better
	Canceled                // the person or a deadline stopped it
	Negative                // nothing failed; the answer to the question is no
)

var kindNames = [...]string{"internal", "invalid", "not-found", "unsupported", "unavailable", "canceled", "negative"}

func (k Kind) String() string { return kindNames[k] }

// Error is an error with a kind and, where there is one, a hint: what to do, in lower case and without a full stop.
type Error struct {
	Kind Kind
	Hint string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind; %w keeps the hint of what it wraps.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// WithHint adds what to do to err, keeping its kind.
func WithHint(err error, format string, args ...any) error {
	return &Error{Kind: KindOf(err), Hint: fmt.Sprintf(format, args...), Err: err}
}

// KindOf is the kind of the outermost Error in err's chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// HintOf is the first hint in err's chain, or "".
func HintOf(err error) string {
	for {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
}
