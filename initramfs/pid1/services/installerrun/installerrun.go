// Package installerrun runs the program of an installer image (docs/install.md) in a container that may do everything and has the
// machine's devices. The base's containerd pulls and runs it, driven by the base's ctr, in the namespace "system".
//
// Each place that machine.registries names is asked by itself, with its own credentials and nobody else's, so that an error says what
// each of them answered.
//
// Left out: keeping images. What was pulled is in memory on a machine without a disk, and in /var on one that has it, until Run ends.
package installerrun

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/registries"
)

const (
	namespace = "system"
	container = "installer"                 // its name; there is one at a time
	hostsDir  = "/run/bootwright/pull"      // for ctr's --hosts-dir
	program   = "/bin/installer"            // in the image
	cgroup    = "/system/runtime-installer" // below the root of the cgroup file system
	patience  = "30s"                       // of ctr, for an answer of containerd
	tidying   = 20 * time.Second            // for removing what is left
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Processes
}

// Deps are what Run needs.
type Deps struct {
	M          Machine
	Arch       string              // of the machine, as Go names it
	Registries v1alpha1.Registries // of the machine configuration
	Env        []string            // with proxies; nil is a PATH
	Output     io.Writer           // gets what is pulled and what the program says, by line
}

// Container is one run.
type Container struct {
	Image   string   // reference
	Args    []string // of the program
	Folders []string // of the machine, with what is mounted in them, which the program finds at the same place
	// Done, where it is set, is called when the program has ended well, and before what is left is removed, during which the power may go.
	Done func() error
}

// Run pulls the image and runs its program to the end. Errors of kind Unsupported and Invalid are of the image, and stay; those of kind
// Unavailable are of registries and networks, and may pass; any other is an *kernel.ExitError with what the program said last. containerd
// must be running.
func Run(ctx context.Context, d Deps, c Container) (err error) {
	image := normal(c.Image)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
		defer cancel()
		err = errors.Join(err, d.tidy(ctx, image))
	}()
	if err := d.tidy(ctx, image); err != nil { // of a run that was cut short
		return err
	}
	if err := d.pull(ctx, image); err != nil {
		return err
	}
	if err := d.checkArch(ctx, image); err != nil {
		return err
	}
	fmt.Fprintf(d.Output, "run %s %s\n", image, c.Args[0])
	if err := d.run(ctx, image, append(arguments(image, c.Folders), c.Args...)...); err != nil || c.Done == nil {
		return err
	}
	return c.Done()
}

// Waits are what pulling an image waits for: the network, and the right time, unless all places that are asked for it are asked
// over HTTP and so show no certificate that may have expired.
func Waits(of v1alpha1.Registries, image string, network, clock services.Condition) []services.Condition {
	rules, err := registries.New(of)
	if err != nil {
		return []services.Condition{network, clock} // pull says what is wrong
	}
	for _, e := range rules.Endpoints(registryOf(normal(image))) {
		if e.URL.Scheme != "http" {
			return []services.Condition{network, clock}
		}
	}
	return []services.Condition{network}
}

// registryOf is the registry of a normal reference.
func registryOf(image string) string {
	registry, _, _ := strings.Cut(image, "/")
	return registry
}

// arguments are those of ctr before the ones of the program.
func arguments(image string, folders []string) []string {
	args := []string{"run", "--rm", "--privileged", "--cgroup", cgroup}
	for _, f := range append([]string{"/dev"}, folders...) {
		args = append(args, "--mount", "type=bind,src="+f+",dst="+f+",options=rbind:rw")
	}
	return append(args, image, container, program)
}

// pull asks every place for the image until one has it.
func (d Deps) pull(ctx context.Context, image string) error {
	rules, err := registries.New(d.Registries)
	if err != nil {
		return err
	}
	registry := registryOf(image)
	var faults []string
	for _, e := range rules.Endpoints(registry) {
		fmt.Fprintf(d.Output, "pull %s from %s\n", image, e.URL.Host)
		err := d.pullFrom(ctx, image, registry, e)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case strings.Contains(err.Error(), "no match for platform"):
			return report.WithHint(report.Errorf(report.Unsupported, "%s has nothing for %s, which this machine is", image, d.Arch), nameAnother)
		}
		faults = append(faults, fmt.Sprintf("%s: %v", e.URL.Host, err))
	}
	return report.Errorf(report.Unavailable, "pull %s: %s", image, strings.Join(faults, "; "))
}

func (d Deps) pullFrom(ctx context.Context, image, registry string, e registries.Endpoint) error {
	files := containerd.OnlyFrom(hostsDir, registry, e)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p := path.Join(hostsDir, name)
		if err := errors.Join(d.M.MkdirAll(path.Dir(p), 0o700), d.M.WriteFile(p, files[name], 0o600)); err != nil {
			return err
		}
	}
	args := []string{"images", "pull", "--hosts-dir", hostsDir}
	_, err := d.ctr(ctx, append(append(args, credentials(e.Host.Auth)...), image)...)
	return err
}

// credentials are arguments of ctr; there are none for nil.
func credentials(a *registries.Auth) []string {
	switch {
	case a == nil:
		return nil
	case a.IdentityToken != "":
		return []string{"--refresh", a.IdentityToken}
	case a.Auth != "":
		if p, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			return []string{"--user", string(p)}
		}
	}
	return []string{"--user", a.Username + ":" + a.Password}
}

// nameAnother is the hint for an image of another architecture.
const nameAnother = "name an image for this architecture, or an index of several"

// checkArch compares the image, of which there may be only one, with the machine. containerd takes an image as it is where it is not
// one of several.
func (d Deps) checkArch(ctx context.Context, image string) error {
	list, err := d.ctr(ctx, "images", "list", "name=="+image)
	if err != nil {
		return err
	}
	var have []string
	for _, word := range strings.Fields(string(list)) {
		for platform := range strings.SplitSeq(word, ",") {
			if arch, ok := strings.CutPrefix(platform, "linux/"); ok {
				arch, _, _ = strings.Cut(arch, "/") // the variant
				have = append(have, arch)
			}
		}
	}
	if !slices.Contains(have, d.Arch) {
		return report.WithHint(report.Errorf(report.Unsupported, "%s is for %s, and this machine is %s", image, strings.Join(have, ", "), d.Arch),
			nameAnother)
	}
	return nil
}

// tidy removes the container and the image, and what a run that was cut short has left of them. containerd does not flush the files that it
// unpacks: after a power cut those may be empty that it takes for unpacked, and leases of a cut pull would keep them.
func (d Deps) tidy(ctx context.Context, image string) error {
	list, err := d.ctr(ctx, "containers", "list", "--quiet")
	if err != nil {
		return fmt.Errorf("containerd: %w", err)
	}
	if slices.Contains(strings.Fields(string(list)), container) {
		d.ctr(ctx, "tasks", "kill", "--signal", "SIGKILL", container) // it may have none
		d.ctr(ctx, "tasks", "delete", "--force", container)
		if _, err := d.ctr(ctx, "containers", "delete", container); err != nil {
			return err
		}
	}
	if _, err := d.ctr(ctx, "images", "remove", "--sync", image); err != nil { // one that is not there is no error
		return err
	}
	leases, err := d.ctr(ctx, "leases", "list", "--quiet")
	if err != nil {
		return err
	}
	for _, lease := range strings.Fields(string(leases)) {
		if _, err := d.ctr(ctx, "leases", "delete", "--sync", lease); err != nil {
			return err
		}
	}
	return nil
}

func (d Deps) ctr(ctx context.Context, args ...string) ([]byte, error) {
	return kernel.Output(ctx, d.M, kernel.Command{Path: containerd.Client, Args: d.args(args), Env: d.Env})
}

func (d Deps) args(args []string) []string {
	return append([]string{"--namespace", namespace, "--connect-timeout", patience}, args...)
}

// run runs ctr and hands on what it prints, of which the last line is in the error of a program that failed.
func (d Deps) run(ctx context.Context, image string, args ...string) error {
	last := &lastLine{to: d.Output}
	p, err := d.M.Start(kernel.Command{Path: containerd.Client, Args: d.args(args), Env: d.Env, Stdout: d.Output, Stderr: last})
	if err != nil {
		return err
	}
	err = kernel.WaitOrEnd(ctx, p)
	failed, ok := errors.AsType[*kernel.ExitError](err)
	if !ok {
		return err
	}
	if why := notExecuted(string(last.kept)); why != "" {
		return report.WithHint(report.Errorf(report.Unsupported, "%s is no installer: %s: %s", image, program, why),
			"name an image that `bootwright build installer` has made for this architecture")
	}
	failed.Program, failed.Said = program, last.text()
	return err
}

// notExecuted is why the container's runtime could not execute the program, in its words, such as "stat /bin/installer: no such file or
// directory"; empty where it could.
func notExecuted(said string) string {
	for line := range strings.Lines(said) {
		for _, prefix := range []string{`exec: "` + program + `": `, "exec " + program + ": "} {
			if _, why, ok := strings.Cut(line, prefix); ok {
				why = strings.TrimPrefix(why, "stat "+program+": ")
				return strings.TrimSuffix(strings.TrimSpace(why), ": unknown")
			}
		}
	}
	return ""
}

// Hopeless tells whether Run would fail in the same way each time: the image or its program is not for this machine, or the program found
// something invalid (exit codes of docs/cli.md), such as a disk without room for it.
func Hopeless(err error) bool {
	if failed, ok := errors.AsType[*kernel.ExitError](err); ok {
		return failed.Signal == 0 && slices.Contains([]int{exitInvalid, exitUnsupported}, failed.Code)
	}
	return slices.Contains([]report.Kind{report.Invalid, report.Unsupported}, report.KindOf(err))
}

// Exit codes of the program.
const (
	exitInvalid     = 2
	exitUnsupported = 4
)

// lastLine hands on what is written and keeps the end.
type lastLine struct {
	to   io.Writer
	kept []byte
}

// maxLast is how much of an error is kept, in bytes.
const maxLast = 1 << 10

func (l *lastLine) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	l.kept = l.kept[max(0, len(l.kept)-maxLast):]
	return l.to.Write(p)
}

// text is what was written from the last error on.
func (l *lastLine) text() string {
	text := string(l.kept)
	if i := strings.LastIndex(text, "error: "); i >= 0 {
		text = text[i+len("error: "):]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}

// normal is a reference as containerd wants it: with a registry, Docker's where it names none, and a tag.
func normal(ref string) string {
	first, _, slash := strings.Cut(ref, "/")
	switch {
	case !slash:
		ref = "docker.io/library/" + ref
	case !strings.ContainsAny(first, ".:[") && first != "localhost":
		ref = "docker.io/" + ref
	}
	if name := path.Base(ref); !strings.ContainsAny(name, ":@") {
		ref += ":latest"
	}
	return ref
}
