package upgrading

import (
	"context"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/services/installerrun"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/meta"
)

// Name is what the service of a staged upgrade is called.
const Name = "upgrade"

// Staging is what a staged upgrade takes.
type Staging struct {
	Arch          string                       // of the machine, as Go names it
	Config        *watch.Value[*config.Config] // the machine configuration; nil values are none
	Network, Time services.Condition           // that pulling an image waits for
	Env           func(*config.Config) []string
	Add           func(services.Service) error
	Processes     installerrun.Machine
}

// Staged is the task that adds a service where META asks for an upgrade: to the image of one tag, with the options of another. The service runs the
// program in that image. The tags go when the new system is on the disk, or when it can never be; until then an error leaves everything as it is,
// to be tried again.
func (s *System) Staged(ctx context.Context, d Staging) error {
	select {
	case <-s.good:
	case <-ctx.Done():
		return nil
	}
	image, options, err := s.staged(ctx)
	if err != nil || image == "" {
		return err
	}
	s.Log.Infof("META asks for an upgrade to %s", image)
	s.tellUpgrade(image, bootreport.UpgradeWaiting, nil)
	c, _ := d.Config.Get()
	return d.Add(services.Service{
		Name: Name, Needs: []string{containerd.Name}, Restart: services.UntilSuccess, Console: true,
		Waits: installerrun.Waits(machineOf(c).Registries, image, d.Network, d.Time),
		Run:   func(ctx context.Context, output io.Writer) error { return s.upgrade(ctx, d, image, options, output) },
	})
}

func (s *System) upgrade(ctx context.Context, d Staging, image string, options []string, output io.Writer) error {
	s.tellUpgrade(image, bootreport.UpgradeRunning, nil)
	said := &result{to: output}
	s.boot.Lock()
	err := s.run(ctx, d, image, options, said)
	s.boot.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && !installerrun.Hopeless(err):
		s.tellUpgrade(image, bootreport.UpgradeFailed, err)
		return err
	}
	if err != nil {
		if err := s.Meta(ctx, forgetStaged); err != nil {
			return err
		}
		s.tellUpgrade(image, bootreport.UpgradeRefused, err)
		s.Log.Warnf("the upgrade to %s can never work, and is forgotten: %v", image, err)
		return nil
	}
	s.tellUpgrade(image, bootreport.UpgradeDone, nil)
	if said.id() == s.id && s.id != "" {
		s.Log.Infof("this is the system of %s already", image)
		return nil
	}
	s.Restart()
	return nil
}

// run pulls the image and runs its program.
func (s *System) run(ctx context.Context, d Staging, image string, options []string, output io.Writer) error {
	c, _ := d.Config.Get()
	of := machineOf(c)
	if of.Install != nil {
		options = append(slices.Clone(options), of.Install.ExtraKernelArgs...)
	}
	return installerrun.Run(ctx, installerrun.Deps{
		M: d.Processes, Arch: d.Arch, Registries: of.Registries, Env: d.Env(c), Output: output,
	}, installerrun.Container{Image: image, Args: s.arguments(options), Done: func() error { return s.Meta(ctx, forgetStaged) }})
}

// machineOf is the part machine of a configuration that may be none.
func machineOf(c *config.Config) v1alpha1.Machine {
	if c == nil || c.Main() == nil {
		return v1alpha1.Machine{}
	}
	return c.Main().Machine
}

func (s *System) tellUpgrade(image, state string, err error) {
	u := bootreport.Upgrade{Image: image, State: state}
	if err != nil {
		u.Error = err.Error()
		if hint := report.HintOf(err); hint != "" {
			u.Error += "; " + hint
		}
	}
	s.Report(func(r *bootreport.Report) { r.Upgrade = &u })
}

// staged is what META asks for: an image, or "", and kernel arguments from the options. Other options are of machines that ask before they do.
func (s *System) staged(ctx context.Context) (image string, args []string, err error) {
	var text []byte
	err = s.Meta(ctx, func(v meta.Values) bool {
		image, text = strings.TrimSpace(string(v[meta.StagedUpgradeImage])), v[meta.StagedUpgradeOptions]
		return false
	})
	var options struct{ ExtraKernelArgs []string }
	if image != "" && len(text) > 0 {
		if wrong := json.Unmarshal(text, &options); wrong != nil {
			s.Log.Warnf("META: the options of the upgrade are not used: %v", wrong)
		}
	}
	return image, options.ExtraKernelArgs, err
}

// arguments are those of the installer's program.
func (s *System) arguments(extra []string) []string {
	args := []string{"upgrade", "--disk", s.disk.whole}
	if s.id != "" {
		args = append(args, "--keep", s.id)
	}
	if platform, ok := s.Args.Get(cmdline.Platform); ok {
		args = append(args, "--platform", platform)
	}
	if source, ok := s.Args.Get(cmdline.Config); ok { // where the machine asks for another configuration
		extra = append([]string{"-" + cmdline.Config, cmdline.Arg{Key: cmdline.Config, Value: source, HasValue: true}.String()}, extra...)
	}
	for _, a := range extra {
		args = append(args, "--extra-kernel-arg="+a)
	}
	return args
}

// forgetStaged takes what was asked for out of META.
func forgetStaged(v meta.Values) bool {
	_, image := v[meta.StagedUpgradeImage]
	_, options := v[meta.StagedUpgradeOptions]
	delete(v, meta.StagedUpgradeImage)
	delete(v, meta.StagedUpgradeOptions)
	return image || options
}

// result hands on what the installer prints, and keeps the end.
type result struct {
	to   io.Writer
	kept []byte
}

// longest is how much is kept, in bytes: the kernel arguments are behind the result.
const longest = 8 << 10

func (r *result) Write(p []byte) (int, error) {
	r.kept = append(r.kept, p...)
	r.kept = r.kept[max(0, len(r.kept)-longest):]
	return r.to.Write(p)
}

// id is the system that starts next, as the installer said.
func (r *result) id() string {
	found := regexp.MustCompile(`(?m)^([0-9a-f]{12}) (?:starts next|was there already)\r?$`).FindSubmatch(r.kept)
	if found == nil {
		return ""
	}
	return string(found[1])
}
