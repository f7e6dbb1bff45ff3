package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/inherit"
	"github.com/bootwright/bootwright/builder/signature"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/registries"
)

// requestOptions are the flags that build and plan share: what to make, and how inputs are found and kept.
type requestOptions struct {
	profileOptions
	cacheDir    string
	verifyCache bool
	insecure    bool
	registries  string   // file
	verifyKeys  []string // files
}

func (o *requestOptions) bind(cmd *cobra.Command) {
	o.profileOptions.bind(cmd)
	o.bindCache(cmd)
	o.bindKeys(cmd)
}

func (o *requestOptions) bindCache(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.cacheDir, "cache-dir", "", "`FOLDER` of the cache (default $BOOTWRIGHT_CACHE, else bootwright in the user's cache folder)")
	f.BoolVar(&o.verifyCache, "verify-cache", false, "hash every input again, whatever its stamp says")
	f.BoolVar(&o.insecure, "insecure", false, "let registries be plain http")
	f.StringVar(&o.registries, "registry-config", "", "machine configuration, or part of one, whose machine.registries says where images come from: a `FILE`")
}

func (o *requestOptions) bindKeys(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.verifyKeys, "verify-key", nil, "refuse images that no such key signed: a `FILE` with a public key (repeatable)")
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
	step     atomic.Pointer[progress.Step] // the one that reads, downloads or compresses now
}

func openSession(a *app, opts requestOptions) (*session, error) {
	dir, err := opts.cache()
	if err != nil {
		return nil, err
	}
	s := &session{app: a, opts: opts, progress: a.progress()}
	s.store, err = store.Open(dir, store.Options{
		Verify:   opts.verifyCache,
		Progress: func(n int64) { s.step.Load().Add(n) },
	})
	if err != nil {
		return nil, err
	}
	s.builder = &builder.Builder{
		Store: s.store, Init: embedded.Init, Installer: embedded.Installer, Warn: func(fs report.Findings) { a.say("%s\n", fs.Error()) },
	}
	if err := s.connect(opts.registries, opts.verifyKeys); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// connect reads where images come from, and who has to have signed them.
func (s *session) connect(config string, keys []string) error {
	images := fetch.Options{Insecure: s.opts.insecure}
	if config != "" {
		text, err := readFile(config)
		if err != nil {
			return err
		}
		if images.Registries, err = registries.Load(config, text); err != nil {
			return err
		}
	}
	for _, name := range keys {
		text, err := readFile(name)
		if err != nil {
			return err
		}
		key, err := signature.ParseKey(text)
		if err != nil {
			return report.Errorf(report.KindOf(err), "%s: %w", name, err)
		}
		images.Keys = append(images.Keys, key)
	}
	s.builder.Images = fetch.New(s.store, images)
	return nil
}

// readFile reads a document or a key.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err == nil && len(data) > maxProfile {
		err = report.Errorf(report.Invalid, "%s: more than the %d bytes that such a file may have", name, maxProfile)
	}
	return data, err
}

// during shows a step whose bytes are those that the store reads and writes meanwhile.
func (s *session) during(name string, do func() error) error {
	step := s.progress.Step(name, 0)
	s.step.Store(step)
	err := do()
	s.step.Store(nil)
	step.Done(err)
	return err
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
		plan, err := builder.LoadPlan(name, data)
		if err == nil && len(s.opts.configSettings()) > 0 {
			err = plan.GiveConfigs(s.opts.configs)
		}
		return plan, err
	}
	profile, err := s.opts.resolve(name, data, inherit.Finder(ctx, func() (*fetch.Client, error) { return s.builder.Images, nil }))
	if err != nil {
		return nil, err
	}
	if in := profile.Input; in.RegistryConfig != "" || len(in.VerifyKeys) > 0 {
		if err := s.connect(cmp.Or(s.opts.registries, in.RegistryConfig), append(in.VerifyKeys, s.opts.verifyKeys...)); err != nil {
			return nil, err
		}
	}
	var plan *builder.Plan
	err = s.during("resolve the base", func() (err error) {
		plan, err = s.builder.Lock(ctx, profile)
		return err
	})
	return plan, err
}

// build lays out what the plan makes, and has all inputs at hand then.
func (s *session) build(ctx context.Context, plan *builder.Plan) (*builder.Artifact, error) {
	var artifact *builder.Artifact
	err := s.during("open inputs", func() (err error) {
		artifact, err = s.builder.Build(ctx, plan)
		return err
	})
	return artifact, err
}
