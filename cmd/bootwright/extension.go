package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

func newExtensionCommand(a *app) *cobra.Command {
	return parent(&cobra.Command{
		Use:     "extension",
		GroupID: groupMake,
		Short:   "write, check and pack system extensions",
	},
		newExtensionInitCommand(a),
		newExtensionValidateCommand(a),
		newExtensionPackCommand(a),
		newExtensionInspectCommand(a),
	)
}

// extensionOptions are the flags of commands that read extensions.
type extensionOptions struct {
	requestOptions
	arch     string
	maxBytes int64
	maxFiles int
}

func (o *extensionOptions) bind(cmd *cobra.Command) {
	o.bindCache(cmd)
	f := cmd.Flags()
	f.StringVar(&o.arch, "arch", "", "architecture: "+strings.Join(base.Arches(), " or "))
	f.Int64Var(&o.maxBytes, "max-bytes", extension.DefaultMaxBytes, "most `BYTES` that the layers of an image may unpack to")
	f.IntVar(&o.maxFiles, "max-files", extension.DefaultMaxFiles, "most `FILES` and folders that an extension may have")
	completeWords(cmd, "arch", base.Arches())
}

func (o *extensionOptions) check() error {
	switch {
	case o.arch != "" && !slices.Contains(base.Arches(), o.arch):
		return report.Errorf(report.Invalid, "--arch: no architecture is called %q; there are %s", o.arch, strings.Join(base.Arches(), " and "))
	case o.maxBytes < 1 || o.maxFiles < 1:
		return report.Errorf(report.Invalid, "--max-bytes and --max-files must be at least 1")
	}
	return nil
}

// load reads the extension that a folder or a reference names.
func (o *extensionOptions) load(ctx context.Context, s *session, name string) (*extension.Extension, error) {
	ref := reference.Reference{Scheme: reference.Folder, Name: name}
	if st, err := os.Stat(name); err != nil || !st.IsDir() {
		if ref, err = reference.Parse(name); err != nil {
			return nil, err
		}
	}
	l := extension.Loader{Images: s.builder.Images, Store: s.store, MaxBytes: o.maxBytes, MaxFiles: o.maxFiles}
	step := s.progress.Step("open "+name, 0)
	ext, err := l.Load(ctx, ref, o.arch)
	step.Done(err)
	return ext, err
}

type extensionValidateOptions struct {
	extensionOptions
	extensions.Options
	names   []string
	base    string
	version string
}

func newExtensionValidateCommand(a *app) *cobra.Command {
	var opts extensionValidateOptions
	cmd := &cobra.Command{
		Use:   "validate DIR|REF...",
		Short: "say everything that is wrong with extensions",
		Long: `validate checks extensions, each a folder or an image, by the rules of docs/extensions.md. It says all faults and warnings at once,
and what it could not check because nobody told it: name a base, and the version of the system. Several extensions are taken as
laid over each other in this order.`,
		Example: `  bootwright extension validate hello
  bootwright extension validate hello --arch amd64 --talos-version v1.9.2`,
		Args: arguments(1, 1000, "extensions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.names = args
			return runExtensionValidate(cmd.Context(), a, opts)
		},
	}
	opts.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.base, "base", "", "the base `REF` that the extensions are for")
	f.StringVar(&opts.version, "talos-version", "", "`VERSION` of the system that manifests' compatibility.talos is about")
	f.BoolVar(&opts.SignedModules, "signed-modules", false, "the kernel takes signed modules only")
	return cmd
}

func runExtensionValidate(ctx context.Context, a *app, opts extensionValidateOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	s, err := openSession(a, opts.requestOptions)
	if err != nil {
		return err
	}
	defer s.close()
	facts := extensions.Facts{Arch: opts.arch, Version: opts.version}
	if opts.base != "" {
		_, m, err := s.builder.Base(ctx, opts.base, opts.arch)
		if err != nil {
			return err
		}
		opts.arch, facts.Arch, facts.Release = m.Arch, m.Arch, m.KernelVersion
	}
	var all report.Findings
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
	return opts.tell(a, all, facts.Earlier)
}

// tell prints warnings and a line for each extension, unless there are faults, which come back with the warnings.
func (o *extensionValidateOptions) tell(a *app, all report.Findings, trees []*tree.Tree) error {
	if err := all.Err(); err != nil {
		return err
	}
	if len(all) > 0 && !a.quiet {
		fmt.Fprintln(a.stderr, all.Error())
	}
	for i, t := range trees {
		m, err := extensions.ReadManifest(o.names[i], t)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s: %s %s has no faults\n", o.names[i], m.Metadata.Name, m.Metadata.Version)
	}
	return nil
}

type extensionInspectOptions struct {
	extensionOptions
	name string
	json bool
}

func newExtensionInspectCommand(a *app) *cobra.Command {
	var opts extensionInspectOptions
	cmd := &cobra.Command{
		Use:     "inspect DIR|REF",
		Short:   "show what an extension brings: modules, firmware, services",
		Example: "  bootwright extension inspect hello\n  bootwright extension inspect hello --json | grep version",
		Args:    arguments(1, 1, "one DIR or REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.name = args[0]
			return runExtensionInspect(cmd.Context(), a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().BoolVar(&opts.json, "json", false, "print JSON")
	return cmd
}

func runExtensionInspect(ctx context.Context, a *app, opts extensionInspectOptions) error {
	if err := opts.check(); err != nil {
		return err
	}
	s, err := openSession(a, opts.requestOptions)
	if err != nil {
		return err
	}
	defer s.close()
	ext, err := opts.load(ctx, s, opts.name)
	if err != nil {
		return err
	}
	summary, err := extensions.Summarize(opts.name, ext.Tree)
	if err != nil {
		return err
	}
	if opts.json {
		return printJSON(a.stdout, struct {
			Digest blob.Digest `json:"digest,omitempty"` // of the image manifest
			*extensions.Summary
		}{ext.Locked.Digest, summary})
	}
	if ext.Locked.Digest != "" {
		fmt.Fprintf(a.stdout, "%s\n", ext.Locked.Reference)
	}
	return summary.WriteText(a.stdout)
}
