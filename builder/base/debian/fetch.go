package debian

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Fetch downloads the packages that the cache does not hold and returns the paths of all, in the order of pkgs. Every
// file is checked against the index by SHA-256, those from the cache too; a damaged one is fetched again.
func (a *Archive) Fetch(ctx context.Context, pkgs []Package) ([]string, error) {
	paths := make([]string, len(pkgs))
	var missing []Package
	for i, p := range pkgs {
		paths[i] = filepath.Join(a.dir, "archives", p.fileName())
		err := check(ctx, paths[i], p)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
		default:
			if err := os.Remove(paths[i]); err != nil {
				return nil, err
			}
		}
		missing = append(missing, p)
	}
	if len(missing) == 0 {
		return paths, nil
	}
	if err := a.download(ctx, missing); err != nil {
		return nil, err
	}
	for _, p := range missing {
		if err := check(ctx, filepath.Join(a.dir, "archives", p.fileName()), p); err != nil {
			return nil, report.Errorf(report.Unavailable, "package %s: %w", p.Name, err)
		}
	}
	return paths, nil
}

// check compares the file at path with what the index says of p.
func check(ctx context.Context, path string, p Package) error {
	f, err := blob.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := blob.Sum(ctx, f)
	if err == nil && got != p.Digest {
		err = report.Errorf(report.Unavailable, "%s has SHA-256 %s, but apt's index says %s", filepath.Base(path), got.Hex(), p.Digest.Hex())
	}
	return err
}

func (a *Archive) download(ctx context.Context, pkgs []Package) (err error) {
	if a.opts.Offline {
		return report.WithHint(report.Errorf(report.NotFound, "%d packages, such as %s %s, are not in the cache", len(pkgs), pkgs[0].Name, pkgs[0].Version),
			"run once without --offline")
	}
	var total int64
	args := []string{"download"}
	for _, p := range pkgs {
		total += p.Size
		args = append(args, p.Name+"="+p.Version)
	}
	step := a.opts.Progress.Step("download packages "+a.opts.Arch, total)
	defer func() { step.Done(err) }()
	_, complaints, err := a.runWithStatus(ctx, &downloadStatus{step: step, total: total}, "apt-get", args...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return report.WithHint(aptError("download packages", err, complaints), "check the network; what was fetched is kept, so try again")
}

// downloadStatus turns apt's "dlstatus:FILE:PERCENT:TEXT" lines into bytes of a step.
type downloadStatus struct {
	step  *progress.Step
	total int64
	done  int64
	line  []byte
}

func (d *downloadStatus) Write(p []byte) (int, error) {
	d.line = append(d.line, p...)
	for {
		line, rest, ok := bytes.Cut(d.line, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		d.line = rest
		field := bytes.SplitN(line, []byte(":"), 4)
		if len(field) != 4 || string(field[0]) != "dlstatus" {
			continue
		}
		if percent, err := strconv.ParseFloat(string(field[2]), 64); err == nil {
			if done := min(int64(percent/100*float64(d.total)), d.total); done > d.done {
				d.step.Add(done - d.done)
				d.done = done
			}
		}
	}
}
