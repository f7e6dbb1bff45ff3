//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/internal/cli/clitest"
	"github.com/bootwright/bootwright/machine/bootassets"
)

// TestMain lets the test binary be the installer itself when a script calls it by that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"installer": main})
}

// TestScripts runs testdata/script: one file a behaviour. Each finds boot assets in v1 and v2, and a disk of 3 GiB.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Setup: func(e *testscript.Env) error {
			for _, version := range []string{"v1", "v2"} {
				if err := writeAssets(filepath.Join(e.WorkDir, version), version); err != nil {
					return err
				}
			}
			disk := filepath.Join(e.WorkDir, "disk")
			if err := os.WriteFile(disk, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(disk, 3<<30)
		},
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: os.Getenv("BOOTWRIGHT_UPDATE") == "1",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": clitest.Exits},
	})
}

func writeAssets(dir, version string) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	d := bootassets.Description{
		Version: version, Arch: "amd64", Platform: "metal", KernelVersion: "6.1", Cmdline: "talos.platform=metal quiet", Epoch: 1700000000,
		Digests: map[string]blob.Digest{},
	}
	for name, content := range map[string]string{
		bootassets.Kernel: strings.Repeat("kernel"+version, 1000), bootassets.Head: "head", bootassets.Root: strings.Repeat("root", 5000), bootassets.Tail: "tail",
		bootassets.SDBoot: string(petest.Stub()), bootassets.Stub: string(petest.Stub()), bootassets.GRUBBoot: strings.Repeat("b", 512), bootassets.GRUBCore: strings.Repeat("c", 5000),
	} {
		d.Digests[name] = blob.SumBytes([]byte(content))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			return err
		}
	}
	text, err := blob.ReadAll(d.Text(), 1<<20)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, bootassets.DescriptionFile), text, 0o666)
}

func TestExamples(t *testing.T) {
	t.Parallel()
	clitest.Examples(t, func() *cobra.Command { return newRootCommand(&app{stdout: io.Discard}) }, t.TempDir())
}

func TestPartitionPath(t *testing.T) {
	for disk, want := range map[string]string{"/dev/sda": "/dev/sda3", "/dev/nvme0n1": "/dev/nvme0n1p3", "/dev/mmcblk0": "/dev/mmcblk0p3"} {
		if got := partitionPath(disk, 3); got != want {
			t.Errorf("%s", got)
		}
	}
}
