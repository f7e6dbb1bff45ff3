// Package pid1 is the init of a bootwright machine: process 1, from the moment the kernel has unpacked the initramfs.
//
// What must happen in order is the list in boot.go, one line a step. What lives from then on is a task of a supervise.Group
// (signals, devices). Each concern has a package of its own, and all effects go through package kernel, so that a whole
// boot is a unit test on kernel/fake.
//
// The initramfs holds
//
//	/init                              this program
//	/rootfs.sqsh                       the root image, squashfs
//	/etc/bootwright-release            VERSION=, EPOCH= (Unix seconds) and BASE=, a line each
//	/.extra/credentials/config.cred    machine configurations that the boot loader brought (machine/configarea), if any
//	/usr/local/etc/talos/config.yaml   those that were built in, if any
//	/usr/lib/modules/<release>/        loop, squashfs and overlay with all that they need, and the index of formats/kmod
//
// and the root image /dev, /proc, /sys, /run, /tmp, /var and /etc as folders, the file /usr/sbin/init, over which this
// program is bound, /usr/sbin/modprobe as a symbolic link to it, /sbin as one to usr/sbin, and all modules with their index
// in /usr/lib/modules/<release>/.
package pid1
