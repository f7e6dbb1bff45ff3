package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

type buildOptions struct {
	requestOptions
	output  string
	sums    bool
	json    bool
	push    string   // reference
	andArch []string // further architectures of an index
}

func newBuildCommand(a *app) *cobra.Command {
	var opts buildOptions
	cmd := &cobra.Command{
		Use:     "build [PROFILE | -]",
		GroupID: groupMake,
		Short:   "build an ISO, UKI, network boot set or a part of one",
		Long: `build makes what a profile asks for: a built-in by name, a file (-f), or standard input (-). Flags change the profile. A
plan that "bootwright plan" printed is built to the same bytes (-f PLAN).

A build needs no root, no other program and no scratch space. Every file is written beside its place and renamed when
it is complete.`,
		Example: `  bootwright build iso --base oci:_out/base -o _out
  bootwright build iso --base oci:_out/base --extra-kernel-arg console=ttyS1 --extra-kernel-arg -pti -o _out
  bootwright build iso --base oci:_out/base --system-extension-image oci:images:greet -o _out
  bootwright build iso --base oci:_out/base --config node.yaml --config-patch @site.yaml -o _out
  bootwright build -f profile.yaml --sha256sums -o _out
  bootwright build installer --base oci:_out/base --push registry.example.com/installer:v1
  bootwright build metal-uki --base oci:_out/base -o - > metal.efi`,
		Annotations: map[string]string{parseOnly: "needs a base"},
		Args:        cli.Arguments(0, 1, "one PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.setName(args)
			return runBuild(cmd.Context(), a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().StringVarP(&opts.output, "output", "o", ".", "folder to write to, or - for standard output (a set of files as tar)")
	cmd.Flags().BoolVar(&opts.sums, "sha256sums", false, "write SHA256SUMS beside the files")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print what was written as JSON")
	cmd.Flags().StringVar(&opts.push, "push", "", "put a container image (an installer, a containerDisk) to HOST/REPO[:TAG] of a registry, or oci:DIR[:TAG], and write no file: a `REF`")
	cmd.Flags().StringArrayVar(&opts.andArch, "and-arch", nil, "further `ARCH` of a container image, which becomes an index (repeatable)")
	return cmd
}

// buildResult is what a build did, for programs.
type buildResult struct {
	Plan  blob.Digest `json:"plan"`
	Files []written   `json:"files"`
}

// written is one file of a build.
type written struct {
	Path      string      `json:"path"`
	Size      int64       `json:"size"` // bytes
	MediaType string      `json:"mediaType"`
	SHA256    blob.Digest `json:"digest,omitempty"`
	Secret    bool        `json:"secret,omitempty"` // holds machine configurations
}

func runBuild(ctx context.Context, a *app, opts buildOptions) error {
	switch {
	case opts.push != "" && opts.sums:
		return report.Errorf(report.Invalid, "--sha256sums is of files, and --push writes none")
	case opts.push == "" && opts.output == "-" && (opts.sums || opts.json):
		return report.Errorf(report.Invalid, "--sha256sums and --json need a folder to write to, not -o -")
	}
	s, err := openSession(a, opts.requestOptions)
	if err != nil {
		return err
	}
	defer s.close()
	artifact, err := s.buildAll(ctx, opts.andArch)
	if err != nil {
		return err
	}
	if opts.push != "" {
		return pushImages(ctx, s, artifact, opts)
	}
	if opts.output == "-" {
		return stream(ctx, a.stdout, artifact)
	}
	files, err := writeArtifact(ctx, s.progress, artifact, opts)
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(a.stdout, buildResult{artifact.Plan.Digest(), files})
	}
	var text strings.Builder
	for _, f := range files {
		note := ""
		if f.Secret {
			note = "  (for its owner alone: it holds machine configurations)"
		}
		fmt.Fprintf(&text, "%s  %s%s\n", f.Path, progress.FormatBytes(f.Size), note)
	}
	_, err = io.WriteString(a.stdout, text.String())
	return err
}

// writeArtifact writes all files, or none: a kernel must not come to lie beside the initramfs of another.
func writeArtifact(ctx context.Context, p *progress.Progress, artifact *builder.Artifact, opts buildOptions) ([]written, error) {
	if err := os.MkdirAll(opts.output, 0o777); err != nil {
		return nil, report.WithHint(err, "-o names a folder, which is made where it is missing")
	}
	var pending []*blob.Pending
	defer func() {
		for _, f := range pending {
			f.Discard()
		}
	}()
	write := func(path string, b blob.Blob, mode fs.FileMode) error {
		step := p.Step("write "+path, b.Size())
		f, err := blob.WriteBeside(ctx, path, b, blob.WriteOptions{Mode: mode, Progress: step.Add})
		step.Done(err)
		if err == nil {
			pending = append(pending, f)
		}
		return err
	}
	files, sums, err := describe(ctx, artifact, opts)
	if err != nil {
		return nil, err
	}
	for i, f := range artifact.Files {
		if err := write(files[i].Path, f.Blob, fileMode(artifact, f)); err != nil {
			return nil, err
		}
	}
	if opts.sums {
		if err := write(filepath.Join(opts.output, "SHA256SUMS"), blob.String(sums), 0); err != nil {
			return nil, err
		}
	}
	for _, f := range pending {
		if err := f.Commit(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// fileMode keeps machine configurations from everybody but their owner.
func fileMode(artifact *builder.Artifact, f builder.File) fs.FileMode {
	if artifact.Secret(f) {
		return 0o600
	}
	return 0o644
}

// describe is what will be written, and the text of SHA256SUMS if that is wanted.
func describe(ctx context.Context, artifact *builder.Artifact, opts buildOptions) ([]written, string, error) {
	var files []written
	var sums strings.Builder
	for _, f := range artifact.Files {
		w := written{Path: filepath.Join(opts.output, f.Name), Size: f.Blob.Size(), MediaType: f.MediaType, Secret: artifact.Secret(f)}
		if opts.sums {
			var err error
			if w.SHA256, err = blob.Sum(ctx, f.Blob); err != nil {
				return nil, "", err
			}
			fmt.Fprintf(&sums, "%s  %s\n", w.SHA256.Hex(), f.Name)
		}
		files = append(files, w)
	}
	return files, sums.String(), nil
}

// stream writes the one file of an artifact as it is, several as a tar archive.
func stream(ctx context.Context, w io.Writer, artifact *builder.Artifact) error {
	w = interruptible{ctx, w}
	if len(artifact.Files) == 1 {
		return copyOut(ctx, w, artifact.Files[0].Blob)
	}
	t := tar.NewWriter(w)
	for _, f := range artifact.Files {
		header := tar.Header{Name: f.Name, Mode: int64(fileMode(artifact, f)), Size: f.Blob.Size(), ModTime: artifact.Plan.Time()}
		if err := t.WriteHeader(&header); err != nil {
			return err
		}
		if err := copyOut(ctx, t, f.Blob); err != nil {
			return err
		}
	}
	return t.Close()
}
