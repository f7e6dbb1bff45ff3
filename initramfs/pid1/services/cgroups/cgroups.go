// Package cgroups makes the control groups of a machine's services (Linux Documentation/admin-guide/cgroup-v2.rst). Init has
// one of its own, as one with processes cannot share out what it has.
package cgroups

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Root is where control groups are mounted, and the others are groups below it.
const (
	Root       = "/sys/fs/cgroup"
	own        = "/init"
	Runtime    = "/system/runtime"    // containerd
	Extensions = "/system/extensions" // services of extensions, a group each
)

// Prepare makes the groups, with all controllers in each, and moves this process into its own. What fails does not keep it
// from the rest.
func Prepare(m kernel.Files) error {
	var faults []error
	for _, dir := range []string{own, Runtime, Extensions} {
		faults = append(faults, m.MkdirAll(Root+dir, 0o755))
	}
	faults = append(faults, m.WriteFile(Root+own+"/cgroup.procs", []byte("1"), 0))
	for _, dir := range []string{"", path.Dir(Extensions), Extensions} {
		controllers, err := m.ReadFile(Root + dir + "/cgroup.controllers")
		faults = append(faults, err)
		for _, c := range strings.Fields(string(controllers)) {
			if err := m.WriteFile(Root+dir+"/cgroup.subtree_control", []byte("+"+c), 0); err != nil {
				faults = append(faults, fmt.Errorf("controller %s: %w", c, err))
			}
		}
	}
	return errors.Join(faults...)
}
