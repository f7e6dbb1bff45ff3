package pid1

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
)

// withContainerd gives m a base with containerd, whose containers run until they are told to end, and an extension's service.
func withContainerd(t *testing.T, m *fake.Machine) {
	root := m.Contents["/rootfs.sqsh"]
	root["usr/bin/containerd"], root["run/containerd/"] = "", ""
	root["usr/local/etc/containers/web.yaml"] = "name: web\ncontainer: {entrypoint: /web}\ndepends: [{network: [hostname]}]\n"
	root["usr/local/lib/containers/web/web"] = ""
	root["usr/local/etc/containers/wrong.yaml"] = "name: wrong\n"
	m.Contents["cgroup2"] = map[string]string{"cgroup.controllers": "cpu memory\n"}
	for _, dir := range []string{"system", "system/extensions"} {
		m.Contents["cgroup2"][dir+"/cgroup.controllers"] = "cpu memory\n"
	}
	m.Contents["cgroup2"]["system/extensions/web/cgroup.procs"] = "77\n"
	m.Contents["proc"]["77/cmdline"] = "/web\x00"
	until := func(ctx context.Context, c kernel.Command) error { <-ctx.Done(); return nil }
	m.Programs[containerd.Program] = func(ctx context.Context, c kernel.Command) error {
		err := errors.Join(m.MkdirAll("/run/containerd", 0o755), m.WriteFile(containerd.Socket, nil, 0o600))
		return errors.Join(err, until(ctx, c))
	}
	m.Programs[containerd.Client] = func(ctx context.Context, c kernel.Command) error {
		if slices.Contains(c.Args, "run") {
			return until(ctx, c)
		}
		return nil
	}
}

func serviceStates(t *testing.T, m *fake.Machine) string {
	t.Helper()
	var out []string
	for _, s := range reportOf(t, m).Services {
		out = append(out, strings.TrimSpace(s.Name+" "+s.State))
	}
	return strings.Join(out, ", ")
}

// TestServices: services run after the machine is ready, are in the report, and end with the machine.
func TestServices(t *testing.T) {
	m := bubble(t, good, withContainerd, func(t *testing.T, m *fake.Machine) {
		wait(10 * time.Second)
		if got, want := serviceStates(t, m), "containerd running, ext-web running, ext-wrong skipped"; got != want {
			t.Errorf("services are %q, want %q", got, want)
		}
		if p, _ := m.ReadFile("/sys/fs/cgroup/init/cgroup.procs"); string(p) != "1" {
			t.Errorf("init's control group has %q", p)
		}
		if p, _ := m.ReadFile("/sys/fs/cgroup/system/cgroup.subtree_control"); string(p) != "+memory" {
			t.Errorf("controllers %q", p)
		}
		m.Signal(syscall.SIGTERM)
	})
	if m.Ended() != kernel.PowerOff || strings.Contains(m.Shown(serial), "still running") {
		t.Errorf("ended in %q:\n%s", m.Ended(), m.Shown(serial))
	}
	started := m.Started()
	if i := slices.IndexFunc(started, func(c kernel.Command) bool { return c.Path == containerd.Program }); i < 0 || started[i].Cgroup != "/sys/fs/cgroup/system/runtime" {
		t.Errorf("%+v", started)
	}
}

// TestContainerdMissing: without containerd, and with one that does not start, the machine is ready all the same.
func TestContainerdMissing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(m *fake.Machine)
		want  string
	}{
		"no program":  {func(m *fake.Machine) { delete(m.Contents["/rootfs.sqsh"], "usr/bin/containerd") }, "ext-web skipped, ext-wrong skipped"},
		"not started": {func(m *fake.Machine) { delete(m.Programs, containerd.Program) }, "containerd failed, ext-web waiting, ext-wrong skipped"},
		"ends at once": {func(m *fake.Machine) {
			m.Programs[containerd.Program] = func(context.Context, kernel.Command) error { return errors.New("no") }
		}, "containerd failed, ext-web waiting, ext-wrong skipped"},
		"no cgroups": {func(m *fake.Machine) { delete(m.Contents, "cgroup2") }, "containerd running, ext-web preparing, ext-wrong skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			m := bubble(t, good, func(t *testing.T, m *fake.Machine) { withContainerd(t, m); c.spoil(m) }, func(t *testing.T, m *fake.Machine) {
				wait(10 * time.Second)
				if got := serviceStates(t, m); got != c.want {
					t.Errorf("services are %q, want %q", got, c.want)
				}
			})
			if !strings.Contains(m.Shown(serial), "machine is ready") || m.Ended() != kernel.PowerOff {
				t.Errorf("ended in %q:\n%s", m.Ended(), m.Shown(serial))
			}
		})
	}
}
