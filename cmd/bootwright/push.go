package main

import (
	"context"
	"fmt"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/container"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
)

// buildAll is what was asked for, or with further architectures the index of all.
func (s *session) buildAll(ctx context.Context, further []string) (*builder.Artifact, error) {
	var all []*builder.Artifact
	for i := range len(further) + 1 {
		if i > 0 {
			s.opts.arch = further[i-1]
		}
		plan, err := s.plan(ctx)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && plan.Arch == all[0].Plan.Arch {
			return nil, report.Errorf(report.Invalid, "--and-arch %s is what is made already", plan.Arch)
		}
		artifact, err := s.build(ctx, plan)
		if err != nil {
			return nil, err
		}
		all = append(all, artifact)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return builder.Join(all)
}

// pushImages puts the images of an artifact where --push says.
func pushImages(ctx context.Context, s *session, artifact *builder.Artifact, opts buildOptions) error {
	if len(artifact.Images) == 0 {
		return report.Errorf(report.Invalid, "--push: %s output is no container image", artifact.Plan.Kind)
	}
	ref, err := reference.Parse(opts.push)
	if err != nil {
		return err
	}
	err = s.during("push "+opts.push, func() (err error) {
		ref.Digest, err = container.Push(ctx, s.builder.Images, ref, artifact.Images)
		return err
	})
	if err != nil {
		return err
	}
	if opts.json {
		return cli.PrintJSON(s.app.stdout, struct {
			Plan      blob.Digest         `json:"plan"`
			Reference reference.Reference `json:"reference"`
			Digest    blob.Digest         `json:"digest"` // of the manifest or the index
		}{artifact.Plan.Digest(), ref, ref.Digest})
	}
	_, err = fmt.Fprintln(s.app.stdout, ref)
	return err
}
