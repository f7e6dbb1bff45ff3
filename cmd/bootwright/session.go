package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// requestOptions are the flags that build and plan share: what to make, and how inputs are found and kept.
type requestOptions struct {
	profileOptions
	cacheDir    string
	verifyCache bool
	insecure    bool
}

func (o *requestOptions) bind(cmd *cobra.Command) {
	o.profileOptions.bind(cmd)
	o.bindCache(cmd)
}

func (o *requestOptions) bindCache(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.cacheDir, "cache-dir", "", "`FOLDER` of the cache (default $BOOTWRIGHT_CACHE, else bootwright in the user's cache folder)")
	f.BoolVar(&o.verifyCache, "verify-cache", false, "hash every input again, whatever its stamp says")
	f.BoolVar(&o.insecure, "insecure", false, "let registries be plain http")
}

// cache is the folder of the store.
func (o *requestOptions) cache() (string, error) {
	if o.cacheDir != "" {
		return o.cacheDir, nil
	}
	if dir := os.Getenv("BOOTWRIGHT_CACHE"); dir != "" {
		return dir, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", report.WithHint(report.Errorf(report.Unavailable, "no cache folder: %w", err), "name one with --cache-dir")
	}
	return filepath.Join(user, "bootwright"), nil
}

// session is one build or plan: the store is open while it lasts.
type session struct {
	app      *app
	opts     requestOptions
	progress *progress.Progress
	store    *store.Store
	builder  *builder.Builder
}

func openSession(a *app, opts requestOptions) (*session, error) {
	dir, err := opts.cache()
	if err != nil {
		return nil, err
	}
	p := a.progress()
	s, err := store.Open(dir, store.Options{Verify: opts.verifyCache})
	if err != nil {
		return nil, err
	}
	images := fetch.New(s, fetch.Options{Insecure: opts.insecure})
	return &session{a, opts, p, s, &builder.Builder{Store: s, Images: images, Init: embedded.Init}}, nil
}

func (s *session) close() { s.store.Close() }

// plan is the plan that was given, or that the profile that was given locks to.
func (s *session) plan(ctx context.Context) (*builder.Plan, error) {
	name, data, err := s.opts.read(ctx, s.app)
	if err != nil {
		return nil, err
	}
	if data != nil && builder.IsPlan(data) {
		// Flags that would change it must not be dropped silently.
		if s.opts.changed() {
			return nil, report.WithHint(report.Errorf(report.Invalid, "%s is a plan, and flags cannot change a plan", name),
				"change its profile and plan again")
		}
		return builder.LoadPlan(name, data)
	}
	profile, err := s.opts.resolve(name, data)
	if err != nil {
		return nil, err
	}
	step := s.progress.Step("open inputs", 0)
	plan, err := s.builder.Lock(ctx, profile)
	step.Done(err)
	return plan, err
}
