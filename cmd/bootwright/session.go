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

// requestOptions are the flags that build and plan share: what to make, and where inputs are kept.
type requestOptions struct {
	profileOptions
	cacheDir    string
	verifyCache bool
	insecure    bool
}

func (o *requestOptions) bind(cmd *cobra.Command) {
	o.profileOptions.bind(cmd)
	f := cmd.Flags()
	f.Lookup("file").Usage = "profile or plan to read from a `FILE`; - for standard input"
	f.StringVar(&o.cacheDir, "cache-dir", os.Getenv("BOOTWRIGHT_CACHE"), "folder of the cache (default: bootwright in the user's cache folder)")
	f.BoolVar(&o.verifyCache, "verify-cache", false, "hash every input again, whatever its stamp says")
	f.BoolVar(&o.insecure, "insecure", false, "let registries be plain http")
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
	dir := opts.cacheDir
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, report.WithHint(report.Errorf(report.Unavailable, "no cache folder: %w", err), "name one with --cache-dir")
		}
		dir = filepath.Join(user, "bootwright")
	}
	s, err := store.Open(dir, store.Options{Verify: opts.verifyCache})
	if err != nil {
		return nil, err
	}
	return &session{
		app: a, opts: opts, progress: a.progress(), store: s,
		builder: &builder.Builder{Store: s, Images: fetch.New(s, fetch.Options{Insecure: opts.insecure}), Init: embedded.Init},
	}, nil
}

func (s *session) close() { s.store.Close() }

// plan is the plan that was given, or that the profile that was given locks to.
func (s *session) plan(ctx context.Context) (*builder.Plan, error) {
	name, data, err := s.opts.read(ctx, s.app)
	if err != nil {
		return nil, err
	}
	if builder.IsPlan(data) {
		if s.opts.changed() { // a plan is what it is; flags that would change it must not be dropped silently
			return nil, report.WithHint(report.Errorf(report.Invalid, "a plan cannot be changed by flags"), "change its profile and plan again")
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
