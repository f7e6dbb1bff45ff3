// Package inorder computes pieces in parallel and hands them on in their order: what compressors of a concatenation of
// independent parts have in common.
package inorder

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// maxWorkers bounds memory on machines with many processors.
const maxWorkers = 8

// Run calls do for 0 to n-1, several at a time, and put with each result in that order, never two at a time. At most two
// results a worker wait. The first error, or the end of ctx, ends it.
func Run[T any](ctx context.Context, n int, do func(ctx context.Context, i int) (T, error), put func(T) error) error {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers, max(n, 1))
	g, ctx := errgroup.WithContext(ctx)
	type job struct {
		i    int
		done chan T
	}
	work, order := make(chan job), make(chan job, workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		for i := range n {
			j := job{i, make(chan T, 1)}
			for _, to := range []chan job{order, work} {
				select {
				case to <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			for j := range work {
				v, err := do(ctx, j.i)
				if err != nil {
					return err
				}
				j.done <- v
			}
			return nil
		})
	}
	g.Go(func() error {
		for j := range order {
			select {
			case v := <-j.done:
				if err := put(v); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}
