package base

// This file is what a base consists of, as tables. Paths are those of a system with merged /usr.

// selection is what the root file system takes from a package, as patterns of debian.Pool.Match.
type selection struct {
	pkg   string
	files []string
}

// rootFiles is the root file system without its kernel modules. Programs and libraries bring the shared libraries that
// they link. There is no shell, and no program here needs one.
func rootFiles() []selection {
	return []selection{
		// Disks: partitions are made by the init itself, file systems by these.
		{"xfsprogs", []string{"usr/sbin/mkfs.xfs", "usr/sbin/xfs_growfs", "usr/sbin/xfs_repair"}},
		{"e2fsprogs", []string{"usr/sbin/mke2fs", "usr/sbin/mkfs.ext*", "usr/sbin/e2fsck", "usr/sbin/resize2fs", "usr/sbin/tune2fs", "etc/mke2fs.conf"}},
		{"dosfstools", []string{"usr/sbin/mkfs.fat", "usr/sbin/mkfs.vfat", "usr/sbin/fsck.fat"}},
		{"cryptsetup-bin", []string{"usr/sbin/cryptsetup", "usr/sbin/veritysetup"}},
		{"libgcc-s1", []string{"usr/lib/*/libgcc_s.so.1"}}, // the threads of cryptsetup's Argon2 open it by name when they end

		// Containers.
		{"containerd", []string{"usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr"}},
		{"runc", []string{"usr/sbin/runc"}},

		// Data. The certificates are joined into one file, see caBundle.
		{"tzdata", []string{"usr/share/zoneinfo/", "!usr/share/zoneinfo/posix/", "!usr/share/zoneinfo/right/", "!usr/share/zoneinfo/localtime"}},
		{"base-files", []string{"usr/share/common-licenses/", "etc/debian_version"}},
	}
}

// certificates are the files of which the CA bundle is made.
func certificates() selection {
	return selection{"ca-certificates", []string{"usr/share/ca-certificates/mozilla/*.crt"}}
}

// rootFolders are the empty folders: where the init mounts and what programs expect.
func rootFolders() []string {
	return []string{
		"boot", "dev", "etc/ssl/certs", "home", "mnt", "opt", "proc", "root", "run", "sys", "system", "tmp",
		"usr/bin", "usr/lib", "usr/lib64", "usr/lib/firmware", "usr/local", "usr/sbin", "usr/share", "var/lib", "var/log", "var/tmp",
	}
}

// rootLinks are symbolic links by path.
func rootLinks() map[string]string {
	return map[string]string{
		"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
		"etc/mtab":          "../proc/self/mounts",
		"usr/sbin/modprobe": "init", // the kernel asks for modules by this name, and the init answers
		"var/run":           "../run",
	}
}

// rootTexts are small files by path.
func rootTexts() map[string]string {
	return map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
		"etc/hosts":         "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n",
	}
}

// earlyModules are those the init needs before it has the root file system, with all that they depend on: the root image
// is a squashfs file on a loop device, under a writable overlay.
func earlyModules() []string { return []string{"loop", "squashfs", "overlay"} }

// class is a group of kernel modules that the base leaves out. A module that a kept one depends on is kept all the same.
type class struct {
	name   string
	reason string
	out    []string // prefixes of paths below lib/modules/<release>/kernel
	keep   []string // prefixes that are kept nevertheless
}

// leftOut are the classes of modules that machines of this kind have no use for. What no class names is kept.
func leftOut() []class {
	return []class{
		{"audio", "machines without listeners", []string{"sound/", "drivers/soundwire/", "drivers/slimbus/"}, nil},
		{"media", "cameras, tuners and remote controls", []string{"drivers/media/"}, nil},
		{"graphics", "the console needs no acceleration; the firmware's framebuffer, BMC and virtual displays are kept", []string{"drivers/gpu/", "drivers/video/"}, []string{
			"drivers/gpu/drm/ast/", "drivers/gpu/drm/bochs", "drivers/gpu/drm/drm", "drivers/gpu/drm/hisilicon/hibmc/", "drivers/gpu/drm/hyperv/",
			"drivers/gpu/drm/mgag200/", "drivers/gpu/drm/qxl/", "drivers/gpu/drm/tiny/", "drivers/gpu/drm/vboxvideo/", "drivers/gpu/drm/virtio/",
			"drivers/gpu/drm/vmwgfx/", "drivers/video/fbdev/hyperv_fb", "drivers/video/fbdev/xen-fbfront",
		}},
		{"wireless", "Wi-Fi, WWAN modems, Bluetooth, NFC and sensor radio; networks here are wired", []string{
			"drivers/net/wireless/", "net/wireless/", "net/mac80211/", "drivers/net/wwan/", "drivers/bluetooth/", "net/bluetooth/", "drivers/nfc/", "net/nfc/",
			"drivers/net/ieee802154/", "net/ieee802154/", "net/mac802154/", "net/6lowpan/", "net/rfkill/", "drivers/net/usb/hso", "drivers/bcma/", "drivers/ssb/", "drivers/gnss/",
		}, nil},
		{"old networks", "ATM, ISDN, amateur radio, AppleTalk, FDDI and other links of the past", []string{
			"drivers/atm/", "net/atm/", "drivers/isdn/", "drivers/net/hamradio/", "net/ax25/", "net/netrom/", "net/rose/", "net/x25/", "net/lapb/", "drivers/net/wan/",
			"drivers/net/appletalk/", "net/appletalk/", "drivers/net/arcnet/", "drivers/net/fddi/", "drivers/net/hippi/", "drivers/net/plip/", "drivers/net/slip/",
			"net/phonet/", "drivers/net/usb/cdc-phonet", "drivers/usb/atm/", "drivers/tty/synclink",
		}, nil},
		{"rare protocols", "seldom used and often attacked", []string{"net/dccp/", "net/rds/", "net/tipc/", "net/rxrpc/", "net/qrtr/", "net/batman-adv/", "net/smc/"}, nil},
		{"pointing and playing", "joysticks, tablets, touch screens, game controllers; keyboards are kept", []string{
			"drivers/input/gameport/", "drivers/input/joydev", "drivers/input/joystick/", "drivers/input/misc/", "drivers/input/mouse/", "drivers/input/rmi4/",
			"drivers/input/tablet/", "drivers/input/touchscreen/", "drivers/hid/",
		}, []string{
			"drivers/input/misc/xen-kbdfront",
			"drivers/hid/hid-apple", "drivers/hid/hid-cherry", "drivers/hid/hid-generic", "drivers/hid/hid-hyperv", "drivers/hid/hid-lenovo", "drivers/hid/hid-logitech-dj",
			"drivers/hid/hid-microsoft", "drivers/hid/hid.ko", "drivers/hid/i2c-hid/", "drivers/hid/usbhid/",
		}},
		{"sensors and measuring", "light, motion and laboratory instruments; the sensors of a board (hwmon) are kept", []string{
			"drivers/iio/", "drivers/comedi/", "drivers/counter/", "drivers/w1/", "drivers/hwtracing/", "drivers/greybus/",
		}, nil},
		{"laptops", "lids, batteries and keys of portable machines", []string{
			"drivers/platform/surface/", "drivers/platform/chrome/", "drivers/accessibility/", "drivers/power/supply/", "drivers/memstick/", "drivers/extcon/",
			"drivers/platform/x86/acer", "drivers/platform/x86/apple", "drivers/platform/x86/asus", "drivers/platform/x86/compal", "drivers/platform/x86/dell/alienware",
			"drivers/platform/x86/dell/dell-laptop", "drivers/platform/x86/dell/dell-rbtn", "drivers/platform/x86/eeepc", "drivers/platform/x86/fujitsu", "drivers/platform/x86/hp",
			"drivers/platform/x86/ideapad", "drivers/platform/x86/lg", "drivers/platform/x86/msi", "drivers/platform/x86/panasonic", "drivers/platform/x86/samsung",
			"drivers/platform/x86/sony", "drivers/platform/x86/thinkpad", "drivers/platform/x86/topstar", "drivers/platform/x86/toshiba",
		}, nil},
		{"old buses", "parallel port, PCMCIA, FireWire, and what hangs on them", []string{
			"drivers/parport/", "drivers/pcmcia/", "drivers/scsi/pcmcia/", "drivers/char/pcmcia/", "drivers/firewire/", "drivers/block/paride/", "drivers/auxdisplay/", "drivers/ata/pata_pcmcia",
			"drivers/char/lp", "drivers/char/ppdev", "drivers/i2c/busses/i2c-parport", "drivers/mmc/host/sdricoh_cs", "drivers/net/can/sja1000/ems_pcmcia",
			"drivers/net/can/sja1000/peak_pcmcia", "drivers/net/can/softing/softing_cs", "drivers/net/ethernet/3com/3c574_cs", "drivers/net/ethernet/3com/3c589_cs",
			"drivers/net/ethernet/8390/axnet_cs", "drivers/net/ethernet/8390/pcnet_cs", "drivers/net/ethernet/amd/nmclan_cs", "drivers/net/ethernet/fujitsu/",
			"drivers/net/ethernet/smsc/smc91c92_cs", "drivers/net/ethernet/xircom/", "drivers/pps/clients/pps_parport", "drivers/spi/spi-butterfly", "drivers/spi/spi-lm70llp",
			"drivers/target/sbp/", "drivers/tty/ipwireless/", "drivers/tty/serial/8250/serial_cs", "drivers/usb/host/sl811_cs", "drivers/usb/serial/mos7720",
		}, nil},
		{"USB devices", "the machine as a USB device itself, scanners and laboratory gadgets", []string{
			"drivers/usb/gadget/", "drivers/usb/image/", "drivers/usb/misc/", "drivers/usb/host/u132", "drivers/usb/usbip/usbip-vudc",
		}, nil},
		{"raw flash", "memory chips without a controller", []string{"drivers/mtd/", "fs/jffs2/", "fs/ubifs/"}, nil},
		{"HPC fabrics", "Omni-Path and TrueScale; InfiniBand, RoCE and iWARP are kept for storage", []string{"drivers/infiniband/hw/hfi1/", "drivers/infiniband/hw/qib/", "drivers/infiniband/sw/rdmavt/"}, nil},
		{"foreign file systems", "of other and older systems; those of disks, networks and containers in use are kept", []string{
			"fs/adfs/", "fs/affs/", "fs/afs/", "fs/befs/", "fs/bfs/", "fs/coda/", "fs/efs/", "fs/freevxfs/", "fs/hfs/", "fs/hfsplus/", "fs/hpfs/", "fs/jfs/", "fs/minix/",
			"fs/nilfs2/", "fs/omfs/", "fs/orangefs/", "fs/qnx4/", "fs/qnx6/", "fs/reiserfs/", "fs/romfs/", "fs/sysv/", "fs/ufs/", "fs/ecryptfs/",
		}, nil},
		{"experiments", "drivers that Linux itself does not vouch for", []string{"drivers/staging/"}, nil},
		{"self-tests", "tests and fault injection of the kernel", []string{
			"lib/test_", "lib/memory-notifier", "lib/notifier-error", "lib/pm-notifier", "mm/hwpoison", "crypto/tcrypt", "kernel/torture", "kernel/rcu/", "kernel/locking/",
		}, nil},
	}
}

// grubModules are what GRUB for BIOS can do: read the disks and file systems that bootwright writes, show a menu on the
// screen or a serial line, count tries in a file, and start Linux.
func grubModules() []string {
	return []string{
		"biosdisk", "part_gpt", "part_msdos", "fat", "iso9660", "linux", "normal", "configfile", "search", "search_fs_file", "search_label", "search_fs_uuid",
		"echo", "test", "sleep", "reboot", "halt", "ls", "cat", "serial", "terminal", "minicmd", "loadenv",
	}
}

// grubConfig is embedded in GRUB's images. It prefers the medium that they were loaded from, whole (a CD, or an ISO on a
// USB stick) or any of its partitions, so that no other disk's menu is shown.
const grubConfig = `search --no-floppy --file --set=root --hint=$root --hint=$root, /boot/grub/grub.cfg
set prefix=($root)/boot/grub
configfile /boot/grub/grub.cfg
`
