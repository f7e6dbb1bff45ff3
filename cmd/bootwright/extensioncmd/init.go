package extensioncmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/extservice"
)

type initOptions struct {
	name    string
	service bool
}

func newInitCommand(e Env) *cobra.Command {
	var opts initOptions
	cmd := &cobra.Command{
		Use:     "init NAME",
		Short:   "make the folder of a new extension",
		Long:    `init makes the folder NAME with a manifest to be filled in and a root file system to be filled.`,
		Example: "  bootwright extension init world\n  bootwright extension init web --service",
		Args:    cli.Arguments(1, 1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.name = args[0]
			return runInit(cmd.Context(), e, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.service, "service", false, "with the description of a service")
	return cmd
}

const manifestSkeleton = `# What the extension NAME is: every machine that has it says so.
version: v1alpha1
metadata:
  name: NAME
  version: 0.1.0
  author: Somebody
  description: |
    What it adds to a machine, in a sentence or two.
  # Versions of the system that it works with; without this it is all.
  # compatibility:
  #   talos:
  #     version: ">= v1.9.0"

# Beside this file is rootfs, which is laid over the machine's root. Files may be below
#   rootfs/usr/local                  programs, libraries, services
#   rootfs/usr/lib/modules/RELEASE    kernel modules, for one kernel
#   rootfs/usr/lib/firmware           firmware and processor microcode
# and in a few places more, which docs/extensions.md lists.
`

const serviceSkeleton = `# The service NAME. Its root file system is /usr/local/lib/containers/NAME.
name: NAME
container:
  entrypoint: /NAME     # the program, in that root file system
  args: []
  # environment: [NAME=VALUE]
  # mounts:
  #   - {source: /etc/ssl, destination: /etc/ssl, type: bind, options: [rbind, ro]}
# What has to be before it starts.
depends:
  - network: [addresses]
  # - service: NAME
  # - path: /run/some.sock
  # - time: true
  # - configuration: true
restart: always         # or never, or untilSuccess
`

// skeleton is a new extension.
func (o *initOptions) skeleton() *tree.Tree {
	fill := func(s string) blob.Blob { return blob.String(strings.ReplaceAll(s, "NAME", o.name)) }
	t := &tree.Tree{}
	t.File("manifest.yaml", 0o644, fill(manifestSkeleton))
	t.Dir("rootfs/usr/local", 0o755)
	if o.service {
		text := strings.NewReplacer("[NAME=VALUE]", "[KEY=VALUE]", "service: NAME", "service: cri").Replace(serviceSkeleton)
		t.File(filepath.ToSlash(filepath.Join("rootfs", extservice.SpecFolder, o.name+".yaml")), 0o644, fill(text))
		t.Dir(filepath.ToSlash(filepath.Join("rootfs", extservice.RootFolder, o.name)), 0o755)
	}
	return t
}

func runInit(ctx context.Context, e Env, opts initOptions) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(opts.name) {
		return report.Errorf(report.Invalid, "%.100q cannot name an extension: a-z, 0-9, - and _, at most 63", opts.name)
	}
	if _, err := os.Lstat(opts.name); !errors.Is(err, fs.ErrNotExist) {
		return report.Errorf(report.Invalid, "%s is there already", opts.name)
	}
	temp, err := os.MkdirTemp(".", "."+opts.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	t := opts.skeleton()
	if err := writeTree(ctx, temp, t); err != nil {
		return err
	}
	if err := os.Rename(temp, opts.name); err != nil {
		return err
	}
	for _, n := range t.Nodes() {
		if n.Mode.IsRegular() {
			fmt.Fprintf(e.Stdout, "%s/%s\n", opts.name, n.Path)
		}
	}
	return nil
}

// writeTree puts the folders and files of t into the folder dir, which becomes readable: temporary folders are not.
func writeTree(ctx context.Context, dir string, t *tree.Tree) error {
	for _, n := range t.Nodes() {
		p := filepath.Join(dir, filepath.FromSlash(n.Path))
		var err error
		if n.Mode.IsDir() {
			err = os.Mkdir(p, n.Mode.Perm())
		} else {
			err = blob.WriteFile(ctx, p, n.Open(), blob.WriteOptions{Mode: n.Mode.Perm()})
		}
		if err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}
