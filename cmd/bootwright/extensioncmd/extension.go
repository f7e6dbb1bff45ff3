// Package extensioncmd is `bootwright extension`: the commands that write, check, pack and read system extensions.
package extensioncmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Env is what the commands need of the program that they are part of.
type Env struct {
	Stdout, Stderr io.Writer
	Quiet          *bool // print errors and results only

	// Bind gives a command the flags of the cache and of registries, and those of signatures if it reads images. What it returns
	// opens the cache that they name; the caller closes it.
	Bind func(cmd *cobra.Command, reads bool) func() (*Session, error)
}

// Session is an open cache.
type Session struct {
	Builder  *builder.Builder
	Progress *progress.Progress
}

// Close closes the cache.
func (s *Session) Close() { s.Builder.Store.Close() }

// New is the command with all its children.
func New(e Env) *cobra.Command {
	return cli.Parent(&cobra.Command{
		Use:   "extension",
		Short: "write, check and pack system extensions",
	},
		newInitCommand(e),
		newValidateCommand(e),
		newPackCommand(e),
		newInspectCommand(e),
	)
}

// loadOptions are the flags of commands that read extensions.
type loadOptions struct {
	open     func() (*Session, error)
	arch     string
	maxBytes int64
	maxFiles int
}

func (o *loadOptions) bind(e Env, cmd *cobra.Command) {
	o.open = e.Bind(cmd, true)
	f := cmd.Flags()
	f.StringVar(&o.arch, "arch", "", "architecture: "+strings.Join(base.Arches(), " or "))
	f.Int64Var(&o.maxBytes, "max-bytes", extension.DefaultMaxBytes, "most `BYTES` that the layers of an image may unpack to")
	f.IntVar(&o.maxFiles, "max-files", extension.DefaultMaxFiles, "most `FILES` and folders that an extension may have")
	cli.CompleteWords(cmd, "arch", base.Arches())
}

func (o *loadOptions) check() error {
	switch {
	case o.arch != "" && !slices.Contains(base.Arches(), o.arch):
		return report.Errorf(report.Invalid, "--arch: no architecture is called %q; there are %s", o.arch, strings.Join(base.Arches(), " and "))
	case o.maxBytes < 1 || o.maxFiles < 1:
		return report.Errorf(report.Invalid, "--max-bytes and --max-files must be at least 1")
	}
	return nil
}

// load reads the extension that a folder or a reference names.
func (o *loadOptions) load(ctx context.Context, s *Session, name string) (*extension.Extension, error) {
	ref := reference.Reference{Scheme: reference.Folder, Name: name}
	if st, err := os.Stat(name); err != nil || !st.IsDir() {
		if ref, err = reference.Parse(name); err != nil {
			return nil, err
		}
	}
	l := extension.Loader{Images: s.Builder.Images, Store: s.Builder.Store, MaxBytes: o.maxBytes, MaxFiles: o.maxFiles}
	step := s.Progress.Step("open "+name, 0)
	ext, err := l.Load(ctx, ref, o.arch)
	step.Done(err)
	return ext, err
}

type validateOptions struct {
	loadOptions
	extensions.Options
	names   []string
	base    string
	version string
}

func newValidateCommand(e Env) *cobra.Command {
	var opts validateOptions
	cmd := &cobra.Command{
		Use:   "validate DIR|REF...",
		Short: "say everything that is wrong with extensions",
		Long: `validate checks extensions, each a folder or an image, by the rules of docs/extensions.md. It says all faults and warnings at once,
and what it could not check because nobody told it: name a base, and the version of the system. Several extensions are taken as
laid over each other in this order.`,
		Example: `  bootwright extension validate hello
  bootwright extension validate hello --arch amd64 --talos-version v1.9.2`,
		Args: cli.Arguments(1, 1000, "extensions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.names = args
			return runValidate(cmd.Context(), e, opts)
		},
	}
	opts.bind(e, cmd)
	f := cmd.Flags()
	f.StringVar(&opts.base, "base", "", "the base `REF` that the extensions are for")
	f.StringVar(&opts.version, "talos-version", "", "`VERSION` of the system that manifests' compatibility.talos is about")
	f.BoolVar(&opts.SignedModules, "signed-modules", false, "the kernel takes signed modules only")
	return cmd
}

func runValidate(ctx context.Context, e Env, opts validateOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	s, err := opts.open()
	if err != nil {
		return err
	}
	defer s.Close()
	facts, all, err := opts.facts(ctx, s)
	if err != nil {
		return err
	}
	opts.arch = facts.Arch
	for _, name := range opts.names {
		ext, err := opts.load(ctx, s, name)
		if err != nil {
			return errors.Join(all.Err(), err)
		}
		opts.Options.Name = name
		found := extensions.Validate(ext.Tree, facts, opts.Options)
		all = append(all, found...)
		facts.Earlier = append(facts.Earlier, ext.Tree)
	}
	return opts.tell(e, all, facts.Earlier)
}

// facts are what the base and the flags say, with a warning where the base could say more.
func (o *validateOptions) facts(ctx context.Context, s *Session) (extensions.Facts, report.Findings, error) {
	if o.base == "" {
		return extensions.Facts{Arch: o.arch, Version: o.version}, nil, nil
	}
	locked, m, err := s.Builder.Base(ctx, o.base, o.arch)
	if err != nil {
		return extensions.Facts{}, nil, err
	}
	im, err := s.Builder.Images.Open(ctx, locked)
	if err != nil {
		return extensions.Facts{}, nil, err
	}
	var warnings report.Findings
	facts, err := extension.Facts(im, m)
	if err != nil {
		warnings = append(warnings, report.Finding{File: o.base, Message: fmt.Sprintf("not checked against its root file system: %v", err)})
	}
	facts.Version = o.version
	return facts, warnings, nil
}

// tell prints warnings and a line for each extension, unless there are faults, which come back with the warnings.
func (o *validateOptions) tell(e Env, all report.Findings, trees []*tree.Tree) error {
	if err := all.Err(); err != nil {
		return err
	}
	if len(all) > 0 && !*e.Quiet {
		fmt.Fprintln(e.Stderr, all.Error())
	}
	for i, t := range trees {
		m, err := extensions.ReadManifest(o.names[i], t)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.Stdout, "%s: %s %s has no faults\n", o.names[i], m.Metadata.Name, m.Metadata.Version)
	}
	return nil
}

type inspectOptions struct {
	loadOptions
	name string
	json bool
}

func newInspectCommand(e Env) *cobra.Command {
	var opts inspectOptions
	cmd := &cobra.Command{
		Use:     "inspect DIR|REF",
		Short:   "show what an extension brings: modules, firmware, services",
		Example: "  bootwright extension inspect hello\n  bootwright extension inspect hello --json | grep version",
		Args:    cli.Arguments(1, 1, "one DIR or REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.name = args[0]
			return runInspect(cmd.Context(), e, opts)
		},
	}
	opts.bind(e, cmd)
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runInspect(ctx context.Context, e Env, opts inspectOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	s, err := opts.open()
	if err != nil {
		return err
	}
	defer s.Close()
	ext, err := opts.load(ctx, s, opts.name)
	if err != nil {
		return err
	}
	summary, err := extensions.Summarize(opts.name, ext.Tree)
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(e.Stdout, struct {
			Digest blob.Digest `json:"digest,omitempty"` // of the image manifest
			*extensions.Summary
		}{ext.Locked.Digest, summary})
	}
	if ext.Locked.Digest != "" {
		fmt.Fprintf(e.Stdout, "%s\n", ext.Locked.Reference)
	}
	return summary.WriteText(e.Stdout)
}
