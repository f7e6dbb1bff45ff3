package base

import (
	"bytes"
	"context"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/internal/report"
)

// The programs that make parts, by path, and the packages that they come from.
const (
	mksquashfs  = "usr/bin/mksquashfs"
	grubMkimage = "usr/bin/grub-mkimage"
)

// toolPackages are the packages of programs that make parts of a base for arch.
func toolPackages(arch string) []string {
	if arch == "amd64" {
		return []string{"grub-common", "squashfs-tools"}
	}
	return []string{"squashfs-tools"}
}

// tools are programs of the machine's architecture with all their libraries in one folder. They run without being
// installed, and use nothing of the machine but its kernel.
type tools struct {
	dir    string
	linker string // file name of the dynamic linker in dir
}

// newTools puts programs of p, given by their paths, into dir.
func newTools(p *debian.Pool, dir string, programs []string) (*tools, error) {
	files, err := elf.Closure(p.Tree, programs, elf.Options{})
	if err != nil {
		return nil, err
	}
	t := &tools{dir: dir}
	written := map[string]bool{}
	for _, at := range files {
		real, err := p.Tree.Resolve(at)
		if err != nil {
			return nil, err
		}
		name, n := path.Base(at), p.Tree.Get(real)
		if !n.Mode.IsRegular() || written[name] {
			continue // a folder's link, or a file that is there by another of its names
		}
		written[name] = true
		if err := place(filepath.Join(dir, name), n.Open(), 0o755); err != nil {
			return nil, err
		}
	}
	info, err := elf.Needed(p.Tree.Get(programs[0]).Open())
	t.linker = path.Base(info.Interp)
	return t, err
}

// command runs a program of the tools, and nothing that is not among them.
func (t *tools) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	run := []string{"--inhibit-cache", "--library-path", t.dir, filepath.Join(t.dir, path.Base(program))}
	cmd := exec.CommandContext(ctx, filepath.Join(t.dir, t.linker), slices.Concat(run, args)...)
	cmd.Args[0] = path.Base(program) // for messages; the linker does not look at it
	cmd.Dir = t.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC0"}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run waits for cmd and makes an error of what it complained about.
func run(ctx context.Context, cmd *exec.Cmd) error {
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
	return report.Errorf(report.Unavailable, "%s: %w: %s", cmd.Args[0], err, lines[len(lines)-1])
}
