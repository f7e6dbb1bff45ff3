package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/builder/basetest"
)

// TestPermissions builds and looks as somebody who may not write or read something: the error names it, the exit code is
// 5, and nothing is left behind.
func TestPermissions(t *testing.T) {
	t.Parallel()
	work := sharedDir(t)
	basetest.Write(t, filepath.Join(work, "base"), "amd64")
	self, err := os.Executable()
	if err == nil {
		err = copyFile(filepath.Join(work, "bootwright"), self)
	}
	for _, dir := range []string{"locked", "cache"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(work, dir), 0o777)
		}
	}
	for name, mode := range map[string]os.FileMode{"locked": 0o555, "cache": 0o777} {
		if err == nil {
			err = os.Chmod(filepath.Join(work, name), mode)
		}
	}
	for _, name := range []string{"secret.yaml", "secret.iso"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), []byte("baseProfileName: iso\n"), 0)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"build kernel --base dir:base --cache-dir cache -o locked":                                        "write locked/kernel-amd64: permission denied",
		"build pxe --base dir:base --cache-dir cache -o locked/pxe":                                       "mkdir locked/pxe: permission denied",
		"build kernel --base dir:base --cache-dir locked/cache":                                           "locked/cache: permission denied\nhint: choose another folder with --cache-dir",
		"build kernel --base dir:base --cache-dir cache --set input.kernel.path=secret.iso -o cache/none": "secret.iso: permission denied",
		"plan -f secret.yaml":  "open secret.yaml: permission denied",
		"inspect secret.iso":   "open secret.iso: permission denied",
		"cat secret.iso:/x":    "open secret.iso: permission denied",
		"diff secret.iso base": "open secret.iso: permission denied",
		"boot secret.iso":      "open secret.iso: permission denied",
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(work, "bootwright"), strings.Fields(line)...)
		cmd.Dir, cmd.Env = work, []string{"PATH=", "BOOTWRIGHT_CACHE=" + filepath.Join(work, "cache")}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, _ := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if code != 5 || !strings.Contains(string(out), want) {
			t.Errorf("bootwright %s: exit code %d\n%s", line, code, out)
		}
	}
	if left, err := os.ReadDir(filepath.Join(work, "locked")); err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}
