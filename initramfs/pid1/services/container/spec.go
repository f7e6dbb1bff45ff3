package container

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/bootwright/bootwright/machine/extservice"
)

// oomScore makes the kernel spare the machine's services when memory runs out, but not as much as containerd.
const oomScore = -600

// specification is that of the container of a service, with its root at root, in a cgroup, with an environment and mounts
// beside those of the service.
func specification(s *extservice.Spec, root, cgroup string, env []string, mounts []specs.Mount) *specs.Spec {
	score, all := oomScore, capabilities()
	return &specs.Spec{
		Version: "1.0.2", // of runc 1.1
		Process: &specs.Process{
			Args: append([]string{s.Container.Entrypoint}, s.Container.Args...), Env: env, Cwd: "/", OOMScoreAdj: &score,
			Capabilities: &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all},
		},
		Root:   &specs.Root{Path: root, Readonly: !s.Container.Security.WriteableRootfs},
		Mounts: append(append(ownMounts(s.Container.Security.WriteableSysfs), mountsOf(s)...), mounts...),
		Linux: &specs.Linux{
			CgroupsPath: cgroup,
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
				{Type: specs.CgroupNamespace},
			},
			Resources:         &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}},
			RootfsPropagation: s.Container.Security.RootfsPropagation,
			MaskedPaths:       or(s.Container.Security.MaskedPaths, "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"),
			ReadonlyPaths:     or(s.Container.Security.ReadonlyPaths, "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"),
		},
	}
}

// or is given, which may be empty on purpose, or what containerd takes where it is not given.
func or(given []string, otherwise ...string) []string {
	if given != nil {
		return given
	}
	return otherwise
}

// ownMounts are those of every container.
func ownMounts(writeableSysfs bool) []specs.Mount {
	sysfs := specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
	if writeableSysfs {
		sysfs.Options = sysfs.Options[:3]
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		sysfs,
		{Destination: "/run", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
	}
}

func mountsOf(s *extservice.Spec) []specs.Mount {
	var out []specs.Mount
	for _, m := range s.Container.Mounts {
		out = append(out, specs.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
	}
	return out
}

// capabilities are all that Linux 5.9 and later have (capabilities(7)), in the order of their numbers.
func capabilities() []string {
	names := strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
		net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
		sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap
		mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)
	for i, name := range names {
		names[i] = "CAP_" + strings.ToUpper(name)
	}
	return names
}
