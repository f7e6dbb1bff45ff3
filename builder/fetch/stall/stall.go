// Package stall gives up HTTP responses whose data stopped coming. A deadline for the whole response would end a slow download that
// works; this one starts anew with every byte.
package stall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Err is why a Watch ended a request.
var Err = errors.New("no data came for too long")

// Watch ends a request when nothing comes. It becomes the body of the response once there is one.
type Watch struct {
	io.ReadCloser                 // the response's body
	Context       context.Context // for the request
	cancel        context.CancelCauseFunc
	timer         *time.Timer
	after         time.Duration
}

// New starts the watch over a request that is about to be made. Close or Stop ends it.
func New(ctx context.Context, after time.Duration) *Watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Watch{Context: ctx, cancel: cancel, after: after, timer: time.AfterFunc(after, func() { cancel(Err) })}
}

// Read reads the body; where the watch ended it, the error is Err.
func (w *Watch) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(w.after)
	}
	if err != nil && err != io.EOF {
		err = w.Blame(err)
	}
	return n, err
}

// Close closes the body.
func (w *Watch) Close() error {
	w.Stop()
	return w.ReadCloser.Close()
}

// Stop ends the watch over a request that got no response.
func (w *Watch) Stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// Blame is Err if the watch canceled the request, and err if the caller did.
func (w *Watch) Blame(err error) error {
	if context.Cause(w.Context) == Err {
		return fmt.Errorf("%w (%s)", Err, w.after)
	}
	return err
}
