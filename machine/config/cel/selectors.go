package cel

// Disk is the environment of disk selectors: the fields of a disk, system_disk, and the units of sizes, all of them uint.
func Disk() Env {
	return withUnits(Env{
		"system_disk": Bool, "disk.size": Uint, "disk.io_size": Uint, "disk.sector_size": Uint, "disk.readonly": Bool,
		"disk.model": String, "disk.serial": String, "disk.modalias": String, "disk.wwid": String, "disk.bus_path": String,
		"disk.sub_system": String, "disk.transport": String, "disk.rotational": Bool, "disk.cdrom": Bool, "disk.dev_path": String,
		"disk.pretty_size": String, "disk.uuid": String, "disk.secondary_disks": ListOf(String),
	})
}

// Volume is the environment of volume locators.
func Volume() Env {
	return withUnits(Env{
		"volume.size": Uint, "volume.sector_size": Uint, "volume.io_size": Uint, "volume.name": String, "volume.uuid": String,
		"volume.label": String, "volume.block_size": Uint, "volume.filesystem_block_size": Uint, "volume.probed_size": Uint,
		"volume.partition_uuid": String, "volume.partition_type": String, "volume.partition_label": String,
		"volume.partition_index": Uint, "volume.type": String, "volume.device_path": String, "volume.parent": String,
		"volume.dev_path": String, "volume.parent_dev_path": String, "volume.pretty_size": String,
	})
}

func withUnits(env Env) Env {
	for name := range Units() {
		env[name] = Uint
	}
	return env
}

// Units are the values of the units of sizes, which both environments have.
func Units() Values {
	units := Values{}
	decimal, binary := uint64(1), uint64(1)
	for _, prefix := range "kMGTPE" {
		decimal, binary = decimal*1000, binary*1024
		units[string(prefix)+"B"] = decimal
		if prefix == 'k' {
			prefix = 'K'
		}
		units[string(prefix)+"iB"] = binary
	}
	return units
}
