package installerrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// ctr is a containerd's client: what it is asked, and how it answers each pull and the run.
type ctr struct {
	m        *fake.Machine
	asked    []string
	pulls    []string // what each pull fails with; "" and those beyond are good
	platform string
	said     string // what the program prints before it fails; "" for one that ends well
	left     string // a container of before
	lease    string // of a pull of before
}

func (c *ctr) run(ctx context.Context, cmd kernel.Command) error {
	args := cmd.Args[4:]
	c.asked = append(c.asked, strings.Join(args, " "))
	switch args[0] + " " + args[1] {
	case "images pull":
		hosts, _ := c.m.ReadFile(hostsDir + "/ghcr.io/hosts.toml")
		c.asked[len(c.asked)-1] += " " + strings.SplitN(string(hosts), "\n", 2)[0]
		if len(c.pulls) > 0 {
			fault := c.pulls[0]
			if c.pulls = c.pulls[1:]; fault != "" {
				return errors.New(fault)
			}
		}
	case "images list":
		fmt.Fprintf(cmd.Stdout, "REF TYPE DIGEST SIZE PLATFORMS LABELS\nx application/y sha256:0 73.1 MiB %s -\n", c.platform)
	case "containers list":
		fmt.Fprintln(cmd.Stdout, c.left)
	case "leases list":
		fmt.Fprintln(cmd.Stdout, c.lease)
	case "run --rm":
		fmt.Fprintln(cmd.Stderr, "[1/2] write EFI")
		if c.said != "" {
			fmt.Fprintln(cmd.Stderr, c.said)
			return &kernel.ExitError{Program: cmd.Path, Code: 5}
		}
	}
	return nil
}

// TestWaits: the clock matters where a place to pull from may show a certificate.
func TestWaits(t *testing.T) {
	t.Parallel()
	yes := true
	mirror := func(name string, skip *bool, endpoints ...string) v1alpha1.Registries {
		return v1alpha1.Registries{Mirrors: map[string]v1alpha1.Mirror{name: {Endpoints: endpoints, SkipFallback: skip}}}
	}
	for name, c := range map[string]struct {
		of    v1alpha1.Registries
		image string
		want  string
	}{
		"a registry":              {v1alpha1.Registries{}, "ghcr.io/acme/installer:v1", "network time"},
		"HTTP, then the registry": {mirror("ghcr.io", nil, "http://10.0.0.1"), "ghcr.io/acme/installer:v1", "network time"},
		"HTTP alone":              {mirror("ghcr.io", &yes, "http://10.0.0.1", "http://10.0.0.2"), "ghcr.io/acme/installer:v1", "network"},
		"HTTP and HTTPS":          {mirror("ghcr.io", &yes, "http://10.0.0.1", "https://10.0.0.2"), "ghcr.io/acme/installer:v1", "network time"},
		"HTTP for another":        {mirror("ghcr.io", &yes, "http://10.0.0.1"), "quay.io/acme/installer:v1", "network time"},
		"Docker's, not named":     {mirror("docker.io", &yes, "http://10.0.0.1"), "acme/installer", "network"},
		"no configuration":        {mirror("ghcr.io", &yes, "ftp://10.0.0.1"), "ghcr.io/acme/installer:v1", "network time"},
	} {
		var got []string
		for _, w := range Waits(c.of, c.image, services.Condition{Name: "network"}, services.Condition{Name: "time"}) {
			got = append(got, w.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: waits for %q, want %s", name, got, c.want)
		}
	}
}

func start(t *testing.T, c *ctr, r v1alpha1.Registries) (said string, err error) {
	t.Helper()
	c.m = fake.New(t, nil)
	c.m.Programs[containerd.Client] = c.run
	if c.platform == "" {
		c.platform = "linux/amd64,linux/arm64/v8"
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = Run(ctx, Deps{M: c.m, Arch: "amd64", Registries: r, Output: &out}, Container{
		Image: "ghcr.io/a/installer:v1", Args: []string{"install", "--disk", "/dev/vda"}, Folders: []string{"/run/x"},
		Done: func() error { c.asked = append(c.asked, "done"); return nil },
	})
	return out.String(), err
}

// TestRun: two mirrors are asked in their order, each with its own credentials, and the program runs with the devices.
func TestRun(t *testing.T) {
	yes := true
	r := v1alpha1.Registries{
		Mirrors: map[string]v1alpha1.Mirror{"ghcr.io": {Endpoints: []string{"http://10.0.0.1:5000", "https://two/base"}, SkipFallback: &yes}},
		Config:  map[string]v1alpha1.Registry{"two": {Auth: &v1alpha1.RegistryAuth{Username: "u", Password: "p"}}},
	}
	c := &ctr{pulls: []string{"connection refused"}, left: container, lease: "cut-short"}
	said, err := start(t, c, r)
	if err != nil {
		t.Fatal(err)
	}
	const pull = "images pull --hosts-dir /run/bootwright/pull "
	want := []string{
		"containers list --quiet", "tasks kill --signal SIGKILL installer", "tasks delete --force installer", "containers delete installer",
		"images remove --sync ghcr.io/a/installer:v1", "leases list --quiet", "leases delete --sync cut-short",
		pull + `ghcr.io/a/installer:v1 server = "http://10.0.0.1:5000/v2"`, pull + `--user u:p ghcr.io/a/installer:v1 server = "https://two/base/v2"`,
		"images list name==ghcr.io/a/installer:v1",
		"run --rm --privileged --cgroup /system/runtime-installer --mount type=bind,src=/dev,dst=/dev,options=rbind:rw" +
			" --mount type=bind,src=/run/x,dst=/run/x,options=rbind:rw ghcr.io/a/installer:v1 installer /bin/installer install --disk /dev/vda",
		"done", "containers list --quiet",
	}
	if got := c.asked[:len(want)]; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s", strings.Join(c.asked, "\n"))
	}
	if !strings.HasSuffix(said, "[1/2] write EFI\n") || strings.Contains(said, "u:p") {
		t.Errorf("said %q", said)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		ctr
		kind report.Kind
		want string
	}{
		"nobody has it":   {ctr{pulls: []string{"not found"}}, report.Unavailable, "pull ghcr.io/a/installer:v1: ghcr.io: ctr: exit status 1: not found"},
		"none of several": {ctr{pulls: []string{"ctr: no match for platform in manifest: not found"}}, report.Unsupported, "has nothing for amd64"},
		"the only one":    {ctr{platform: "linux/arm64"}, report.Unsupported, "is for arm64, and this machine is amd64"},
		"the program":     {ctr{said: "hint: x\nerror: the disk is gone\nhint: get another"}, report.Internal, "installer: exit status 5: the disk is gone hint: get another"},
		"no installer": {ctr{said: `ctr: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ` +
			`exec: "/bin/installer": stat /bin/installer: no such file or directory: unknown`}, report.Unsupported,
			"ghcr.io/a/installer:v1 is no installer: /bin/installer: no such file or directory"},
		"no program":       {ctr{said: "exec /bin/installer: exec format error"}, report.Unsupported, "is no installer: /bin/installer: exec format error"},
		"wrong registries": {ctr{}, report.Invalid, "mirror of ghcr.io"},
	} {
		r := v1alpha1.Registries{}
		if name == "wrong registries" {
			r.Mirrors = map[string]v1alpha1.Mirror{"ghcr.io": {Endpoints: []string{"x"}}}
		}
		_, err := start(t, &c.ctr, r)
		if err == nil || !strings.Contains(err.Error(), c.want) || name != "the program" && report.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%v)", name, err, report.KindOf(err))
		}
		if Hopeless(err) != (c.kind == report.Invalid || c.kind == report.Unsupported) {
			t.Errorf("%s: hopeless %v", name, Hopeless(err))
		}
		if last := c.asked[len(c.asked)-2]; last != "images remove --sync ghcr.io/a/installer:v1" {
			t.Errorf("%s: the image is left; last came %s", name, c.asked)
		}
		if slices.Contains(c.asked, "done") {
			t.Errorf("%s: done", name)
		}
	}
}

// TestEnded: a program that is to end is ended, and its container removed.
func TestEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, nil)
		hang := &ctr{m: m, platform: "linux/amd64"}
		m.Programs[containerd.Client] = func(ctx context.Context, cmd kernel.Command) error {
			if cmd.Args[4] == "run" {
				hang.left = container
				<-ctx.Done()
				return ctx.Err()
			}
			return hang.run(ctx, cmd)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := Run(ctx, Deps{M: m, Arch: "amd64", Output: &bytes.Buffer{}}, Container{Image: "a", Args: []string{"install"}})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(strings.Join(hang.asked, "\n"), "containers delete installer") {
			t.Errorf("%v\n%s", err, strings.Join(hang.asked, "\n"))
		}
	})
}

func TestNormal(t *testing.T) {
	for ref, want := range map[string]string{
		"a": "docker.io/library/a:latest", "a/b:v1": "docker.io/a/b:v1", "ghcr.io/a/b": "ghcr.io/a/b:latest", "localhost/a": "localhost/a:latest",
		"h:5000/a@sha256:00": "h:5000/a@sha256:00", "[::1]:5000/a": "[::1]:5000/a:latest",
	} {
		if got := normal(ref); got != want {
			t.Errorf("%s is %s, want %s", ref, got, want)
		}
	}
}
