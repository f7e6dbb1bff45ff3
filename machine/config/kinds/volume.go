package kinds

import (
	"errors"
	"reflect"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/cel"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/value"
)

// VolumeConfig is how a system volume is provisioned the first time.
type VolumeConfig struct {
	Header       `yaml:",inline"`
	Name         string       `yaml:"name" enum:"EPHEMERAL|IMAGECACHE" required:"yes" doc:"Which of the system's volumes."`
	Provisioning Provisioning `yaml:"provisioning" doc:"How the volume is made the first time."`
}

// Provisioning of a volume. Without a selector it is on the system disk.
type Provisioning struct {
	DiskSelector DiskSelector `yaml:"diskSelector" doc:"Picks the disk that the volume is on; the system's where it is not given."`
	Grow         *bool        `yaml:"grow" doc:"Whether the volume grows to the end of its disk at every boot."`
	MinSize      value.Size   `yaml:"minSize" doc:"The least that the volume has; disks with less room are not taken."`
	MaxSize      value.Size   `yaml:"maxSize" doc:"The most that the volume has."`
}

// DiskSelector picks disks.
type DiskSelector struct {
	Match string `yaml:"match" doc:"An expression in CEL over disk and system_disk that is true for the disk."`
}

// Validate says what is wrong with the document.
func (v *VolumeConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(v).Elem())
	p := v.Provisioning
	if p.MaxSize != 0 && p.MinSize > p.MaxSize {
		at.Field("provisioning.minSize").Fault("", "min size is greater than max size")
	}
	validateSelector(at.Field("provisioning.diskSelector.match"), p.DiskSelector.Match)
}

// validateSelector compiles a disk selector.
func validateSelector(at check.Place, match string) {
	if match == "" {
		return
	}
	program, err := cel.Compile(match, cel.Disk())
	if e, ok := errors.AsType[*cel.Error](err); ok {
		at.Fault(report.HintOf(err), "disk selector is invalid: at character %d: %s", e.Offset+1, e.Message)
		return
	}
	if program.Type() != cel.Bool {
		at.Fault("", "disk selector is invalid: it is of type %s, not bool", program.Type())
	}
}

// Example is a document of the kind.
func (*VolumeConfig) Example() string {
	return `apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL
provisioning:
  diskSelector:
    match: disk.transport == 'nvme' && disk.size < 2u * TB
  minSize: 2GB
  maxSize: 40GB
  grow: false
`
}
