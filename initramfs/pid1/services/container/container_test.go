package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/config"
)

// runtime is a fake containerd with its client. Containers outlive it.
type runtime struct {
	m *fake.Machine
	t *testing.T

	mu         sync.Mutex
	up         bool
	mute       bool // the client gets no answer
	dies       context.CancelFunc
	containers map[string]context.CancelFunc
	specs      []specs.Spec
	run        func(ctx context.Context, c kernel.Command) error // what is in a container; nil runs until it is told to end
	deleted    int
}

func newRuntime(t *testing.T, files map[string]string) *runtime {
	r := &runtime{t: t, containers: map[string]context.CancelFunc{}}
	r.m = fake.New(t, map[string]string{"run/containerd/": "", "sys/fs/cgroup/system/extensions/web/cgroup.procs": "7\n8\n", "proc/7/cmdline": "runc\x00init\x00", "proc/8/cmdline": "/web\x00", "usr/local/lib/containers/web/": "", "etc/": ""})
	for name, text := range files {
		if err := errors.Join(r.m.MkdirAll("/"+name[:strings.LastIndex(name, "/")], 0o755), r.m.WriteFile("/"+name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	r.m.Programs[containerd.Program] = r.daemon
	r.m.Programs[containerd.Client] = r.client
	return r
}

func (r *runtime) daemon(ctx context.Context, c kernel.Command) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	time.Sleep(time.Second)
	r.m.WriteFile(containerd.Socket, nil, 0o600)
	r.mu.Lock()
	r.up, r.dies = true, cancel
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = false
	return &kernel.ExitError{Program: c.Path, Code: 2}
}

func (r *runtime) client(ctx context.Context, c kernel.Command) error {
	r.mu.Lock()
	up := r.up && !r.mute
	r.mu.Unlock()
	if !up {
		return errors.New("connection refused")
	}
	id := c.Args[len(c.Args)-1]
	switch {
	case slices.Contains(c.Args, "run"):
		return r.start(ctx, c, id)
	case slices.Contains(c.Args, "list"):
		r.mu.Lock()
		defer r.mu.Unlock()
		for id := range r.containers {
			fmt.Fprintln(c.Stdout, id)
		}
	case slices.Contains(c.Args, "containers") && slices.Contains(c.Args, "delete"):
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.containers, id)
		r.deleted++
	}
	return nil
}

// counts are how many containers there are, have begun, and were removed.
func (r *runtime) counts() (there, begun, deleted int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.containers), len(r.specs), r.deleted
}

func (r *runtime) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dies()
}

func (r *runtime) first() specs.Spec {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.specs[0]
}

func (r *runtime) setMute(mute bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = mute
}

// start is "ctr run": it ends with the container, and with containerd, which the container outlives.
func (r *runtime) start(ctx context.Context, c kernel.Command, id string) error {
	text, err := r.m.ReadFile(c.Args[slices.Index(c.Args, "--config")+1])
	var s specs.Spec
	if err = errors.Join(err, json.Unmarshal(text, &s)); err != nil {
		return err
	}
	r.mu.Lock()
	if r.containers[id] != nil {
		r.mu.Unlock()
		return fmt.Errorf("container %s: already exists", id)
	}
	r.specs = append(r.specs, s)
	ctx, cancel := context.WithCancel(ctx)
	r.containers[id] = cancel
	r.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		if r.run != nil {
			done <- r.run(ctx, c)
			return
		}
		<-ctx.Done()
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			r.mu.Lock()
			delete(r.containers, id)
			r.mu.Unlock()
			return err
		case <-time.After(100 * time.Millisecond):
			r.mu.Lock()
			up := r.up
			r.mu.Unlock()
			if !up {
				return errors.New("rpc error: transport is closing")
			}
		}
	}
}

// nobody hears what is logged.
type nobody struct{}

func (nobody) Infof(string, ...any) {}
func (nobody) Warnf(string, ...any) {}

// machine runs containerd and the services that the root describes; configured changes the machine configuration.
type machine struct {
	*runtime
	*services.Runner
	config watch.Value[*config.Config]
}

func boot(t *testing.T, r *runtime) *machine {
	m := &machine{runtime: r}
	begin := time.Now()
	m.Runner = services.New(services.Deps{Log: nobody{}, SinceBoot: func() time.Duration { return time.Since(begin) }},
		func(_ string, f func()) { go f() })
	met := services.Condition{Met: func() (bool, <-chan struct{}) { return true, nil }}
	found, err := Find(Deps{M: r.m, Config: &m.config, Cgroup: "/system/extensions", Time: met, Network: func(string) services.Condition { return met }})
	if err != nil {
		t.Fatal(err)
	}
	all := []services.Service{containerd.Service(containerd.Deps{M: r.m, Config: &m.config, Log: nobody{}})}
	for _, f := range found {
		if f.Fault != nil {
			t.Fatal(f.Fault)
		}
		all = append(all, f.Service)
	}
	for _, s := range all {
		if err := m.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) configure(t *testing.T, documents string) {
	c, err := config.Load("test", []byte(documents))
	if err != nil {
		t.Fatal(err)
	}
	m.config.Set(c)
}

func (m *machine) states() string {
	synctest.Wait()
	var out []string
	for _, s := range m.Report() {
		out = append(out, strings.TrimSpace(s.Name+" "+s.State+" "+s.Reason))
	}
	return strings.Join(out, "; ")
}

func (m *machine) want(t *testing.T, states string) {
	t.Helper()
	if got := m.states(); got != states {
		t.Errorf("services are %q, want %q", got, states)
	}
}

func (m *machine) stop(t *testing.T) {
	t.Helper()
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if there, _, _ := m.counts(); there > 0 {
		t.Errorf("%d containers are left", there)
	}
}

const web = "usr/local/etc/containers/web.yaml"

const configured = `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: web
configFiles:
  - {content: first, mountPath: /a/b-c}
  - {content: second, mountPath: /a-b/c}
environment: [B=machine, C=machine]
`

// TestConfigured: a service waits for its configuration, has all of it, and starts again with another.
func TestConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := boot(t, newRuntime(t, map[string]string{
			web: "name: web\ncontainer: {entrypoint: /web, args: [-v], environment: [A=spec, B=spec], environmentFile: /etc/env}\n" +
				"depends: [{configuration: true}, {network: [addresses]}, {time: true}]\n",
			"etc/env": "# comment\n\nC=file\nA=file\n",
		}))
		time.Sleep(10 * time.Second)
		m.want(t, "containerd running; ext-web waiting for its configuration")
		m.configure(t, configured)
		time.Sleep(10 * time.Second)
		m.want(t, "containerd running; ext-web running")
		s := m.first()
		if want := []string{searchPath, "A=file", "B=machine", "C=machine"}; !slices.Equal(s.Process.Env, want) {
			t.Errorf("environment %q, want %q", s.Process.Env, want)
		}
		if !slices.Equal(s.Process.Args, []string{"/web", "-v"}) || !s.Root.Readonly || *s.Process.OOMScoreAdj != -600 || s.Linux.CgroupsPath != "/system/extensions/web" {
			t.Errorf("%+v %+v", s.Process, s.Root)
		}
		for path, want := range map[string]string{"/a/b-c": "first", "/a-b/c": "second"} {
			i := slices.IndexFunc(s.Mounts, func(mt specs.Mount) bool { return mt.Destination == path })
			if i < 0 || !slices.Contains(s.Mounts[i].Options, "ro") {
				t.Fatalf("%s is not mounted: %+v", path, s.Mounts)
			}
			if text, err := m.m.ReadFile(s.Mounts[i].Source); string(text) != want {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		}
		m.configure(t, strings.Replace(configured, "first", "changed", 1))
		time.Sleep(10 * time.Second)
		m.want(t, "containerd running; ext-web running")
		if _, begun, _ := m.counts(); begun != 2 || m.Report()[1].Restarts != 1 {
			t.Errorf("it began %d times", begun)
		}
		if text, _ := m.m.ReadFile(state + "/web/files/0"); string(text) != "changed" {
			t.Errorf("%q", text)
		}
		m.stop(t)
	})
}

// TestContainerdDies: it starts again; the container that outlived it is ended, and its service starts again whatever its
// policy.
func TestContainerdDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := boot(t, newRuntime(t, map[string]string{web: "name: web\ncontainer: {entrypoint: /web}\nrestart: never\n"}))
		time.Sleep(10 * time.Second)
		m.want(t, "containerd running; ext-web running")
		for range 3 {
			m.kill()
			time.Sleep(50 * time.Millisecond)
			if there, _, _ := m.counts(); there != 1 {
				t.Error("the container did not outlive containerd")
			}
			time.Sleep(2 * time.Minute)
			m.want(t, "containerd running; ext-web running")
		}
		if _, _, deleted := m.counts(); deleted != 3 {
			t.Errorf("%d containers that were left have been removed, want 3", deleted)
		}
		m.stop(t)
	})
}

// TestLeftFromBefore: a container of that name that is there already is removed.
func TestLeftFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, map[string]string{web: "name: web\ncontainer: {entrypoint: /web}\n"})
		r.containers["ext-web"] = func() {}
		m := boot(t, r)
		time.Sleep(10 * time.Second)
		m.want(t, "containerd running; ext-web running")
		if _, _, deleted := m.counts(); deleted != 1 {
			t.Error("it was not removed")
		}
		m.stop(t)
	})
}

// TestFailure: the report has the exit status and the last line; the other service does not care.
func TestFailure(t *testing.T) {
	for policy, want := range map[string]string{
		"always": "ext-web failed ctr: exit status 3: no such host", "never": "ext-web failed ctr: exit status 3: no such host",
		"untilSuccess": "ext-web finished",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRuntime(t, map[string]string{web: "name: web\ncontainer: {entrypoint: /web}\nrestart: " + policy + "\n"})
			runs := 0
			r.run = func(_ context.Context, c kernel.Command) error {
				fmt.Fprint(c.Stderr, "trying\nno such host\n")
				if runs++; runs > 2 && policy == "untilSuccess" {
					return nil
				}
				return &kernel.ExitError{Program: c.Path, Code: 3}
			}
			m := boot(t, r)
			time.Sleep(time.Minute)
			m.want(t, "containerd running; "+want)
			m.stop(t)
		})
	}
}

// TestFaults: whatever the machine refuses is why the service failed, and the service comes up when it does not any more.
func TestFaults(t *testing.T) {
	const spec = "name: web\ncontainer: {entrypoint: /web, environmentFile: /etc/env}\n"
	for name, c := range map[string]struct {
		spoil, mend func(r *runtime)
		want        string
	}{
		"no root":        {func(r *runtime) { r.m.Remove("/usr/local/lib/containers/web") }, func(r *runtime) { r.m.MkdirAll("/usr/local/lib/containers/web", 0o755) }, "the container's root file system: open"},
		"no folder":      {func(r *runtime) { r.m.MkdirAll(state, 0o755); r.m.WriteFile(state+"/web", nil, 0o600) }, func(r *runtime) { r.m.Remove(state + "/web") }, "not a directory"},
		"no environment": {func(r *runtime) { r.m.Remove("/etc/env") }, func(r *runtime) { r.m.WriteFile("/etc/env", nil, 0o644) }, "the environment file: open /etc/env"},
		"mute client":    {func(r *runtime) { r.setMute(true) }, func(r *runtime) { r.setMute(false) }, "for service containerd"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRuntime(t, map[string]string{web: spec, "etc/env": ""})
				c.spoil(r)
				m := boot(t, r)
				time.Sleep(20 * time.Second)
				if got := m.states(); !strings.Contains(got, c.want) {
					t.Errorf("services are %q, want %q", got, c.want)
				}
				c.mend(r)
				time.Sleep(2 * time.Minute)
				m.want(t, "containerd running; ext-web running")
				m.stop(t)
			})
		})
	}
}

// TestFind: a description that is wrong is reported under the name of its file, and the others run.
func TestFind(t *testing.T) {
	m := fake.New(t, map[string]string{
		"usr/local/etc/containers/a.yaml": "name: alpha\ncontainer: {entrypoint: /a}\ndepends: [{service: cri}, {service: ext-b}, {path: /dev/x}]\n",
		"usr/local/etc/containers/b.yaml": "name: b\ncontainer: {entrypont: /b}\n",
		"usr/local/etc/containers/readme": "= =",
	})
	found, err := Find(Deps{M: m, Config: &watch.Value[*config.Config]{}})
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	if a := found[0].Service; a.Name != "ext-alpha" || !slices.Equal(a.Needs, []string{"containerd", "ext-b"}) || len(a.Waits) != 1 {
		t.Errorf("%+v", a)
	}
	if b := found[1]; b.Service.Name != "ext-b" || b.Fault == nil || !strings.Contains(b.Fault.Error(), "entrypoint") {
		t.Errorf("%+v", b)
	}
	if none, err := Find(Deps{M: fake.New(t, nil)}); none != nil || err != nil {
		t.Errorf("a root without services: %v, %v", none, err)
	}
}
