package volumes

import (
	"errors"
	"fmt"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config/cel"
)

func locatorEnv() cel.Env  { return cel.Volume() }
func selectorEnv() cel.Env { return cel.Disk() }

// compile compiles an expression that must be a bool.
func compile(text string, env cel.Env) (*cel.Program, error) {
	program, err := cel.Compile(text, env)
	if e, ok := errors.AsType[*cel.Error](err); ok {
		hint := report.HintOf(err)
		if hint != "" {
			hint = " (" + hint + ")"
		}
		return nil, fmt.Errorf("%s: at character %d: %s%s", text, e.Offset+1, e.Message, hint)
	}
	if err != nil {
		return nil, err
	}
	if program.Type() != cel.Bool {
		return nil, fmt.Errorf("%s is of type %s, not bool", text, program.Type())
	}
	return program, nil
}

// diskValues are the variables of a selector. system_disk is unknown as long as the system disk is.
func (p *planner) diskValues(d blockdev.Disk) cel.Values {
	v := cel.Units()
	secondary := make([]any, len(d.SecondaryDisks))
	for i, s := range d.SecondaryDisks {
		secondary[i] = s
	}
	for name, value := range map[string]any{
		"size": d.Size, "io_size": d.IOSize, "sector_size": d.SectorSize, "readonly": d.ReadOnly, "model": d.Model, "serial": d.Serial,
		"modalias": d.Modalias, "wwid": d.WWID, "bus_path": d.BusPath, "sub_system": d.SubSystem, "transport": d.Transport,
		"rotational": d.Rotational, "cdrom": d.CDROM, "dev_path": d.DevPath, "pretty_size": d.PrettySize, "uuid": d.UUID, "secondary_disks": secondary,
	} {
		v["disk."+name] = value
	}
	if p.system != "" {
		v["system_disk"] = d.Name == p.system
	}
	return v
}

// volumeValues are the variables of a locator.
func volumeValues(d blockdev.Volume) cel.Values {
	v := cel.Units()
	for name, value := range map[string]any{
		"size": d.Size, "sector_size": d.SectorSize, "io_size": d.IOSize, "name": d.Name, "uuid": d.UUID, "label": d.Label,
		"block_size": uint64(d.BlockSize), "filesystem_block_size": uint64(d.FilesystemBlockSize), "probed_size": d.ProbedSize,
		"partition_uuid": d.PartitionUUID, "partition_type": d.PartitionType, "partition_label": d.PartitionLabel,
		"partition_index": uint64(d.PartitionIndex), "type": d.Type, "device_path": d.DevicePath, "parent": d.Parent,
		"dev_path": d.DevPath, "parent_dev_path": d.ParentDevPath, "pretty_size": d.PrettySize,
	} {
		v["volume."+name] = value
	}
	return v
}
