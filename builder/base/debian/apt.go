package debian

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/builder/base/flock"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// Options say which packages an Archive offers.
type Options struct {
	Arch     string // Debian's name of the architecture, such as amd64 or arm64; may differ from the machine's
	Cache    string // absolute path of a folder that keeps indexes and packages between runs
	Sources  string // sources.list(5) file to use instead of the machine's, whose archives other than Debian's are ignored
	Offline  bool   // ask no mirror: what the cache does not hold is an error
	Progress *progress.Progress
}

// Archive offers the packages of one architecture. One process at a time uses a cache and architecture; others wait
// in Open.
type Archive struct {
	opts Options
	dir  string // of this architecture in the cache
	lock *os.File
}

// Open prepares apt's own folders and, unless Offline, brings its indexes up to date. The caller closes the Archive.
func Open(ctx context.Context, opts Options) (*Archive, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, report.WithHint(report.Errorf(report.Unsupported, "%s is not on this machine", tool),
				"run this on Debian or in a Debian container; it needs no more than apt and dpkg")
		}
	}
	if opts.Sources != "" {
		if st, err := os.Stat(opts.Sources); err != nil {
			return nil, report.Errorf(report.NotFound, "package sources: %w", err)
		} else if st.IsDir() {
			return nil, report.Errorf(report.Invalid, "package sources: %s is a folder; name a file", opts.Sources)
		}
	}
	a := &Archive{opts: opts, dir: filepath.Join(opts.Cache, opts.Arch)}
	if err := a.prepare(ctx); err != nil {
		a.Close()
		return nil, err
	}
	if err := a.update(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close lets other processes use the cache. Packages that were fetched stay where they are.
func (a *Archive) Close() error {
	if a.lock == nil {
		return nil
	}
	return a.lock.Close()
}

func (a *Archive) prepare(ctx context.Context) error {
	unusable := func(err error) error {
		return report.WithHint(report.Errorf(report.Invalid, "package cache: %w", err), "name a folder that can be written")
	}
	for _, d := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return unusable(err)
		}
	}
	var err error
	if a.lock, err = os.OpenFile(filepath.Join(a.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return unusable(err)
	}
	if err := flock.Wait(ctx, a.lock); err != nil {
		return err
	}
	for name, content := range map[string]string{"apt.conf": a.config(), "status": "", "preferences": ""} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(content), 0o644); err != nil {
			return unusable(err)
		}
	}
	return nil
}

// config is read after the machine's own apt.conf files, which may know a proxy; it replaces the folders, and hooks and
// extra indexes that only an installed system needs.
func (a *Archive) config() string {
	conf := fmt.Sprintf(`Dir::State %[1]q;
Dir::State::lists "lists/";
Dir::State::status %[2]q;
Dir::Cache %[1]q;
Dir::Cache::archives "archives/";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::preferences %[3]q;
#clear APT::Architectures;
APT::Architecture %[4]q;
APT::Architectures { %[4]q; };
APT::Sandbox::User "root";
#clear APT::Update;
Acquire::Languages "none";
Acquire::AllowReleaseInfoChange "true";
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "0";
};
`, a.dir, filepath.Join(a.dir, "status"), filepath.Join(a.dir, "preferences"), a.opts.Arch)
	if a.opts.Sources != "" {
		conf += fmt.Sprintf("Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"/dev/null\";\n", a.opts.Sources)
	}
	return conf
}

// update fetches the indexes and keeps what is not Debian's from being chosen.
func (a *Archive) update(ctx context.Context) (err error) {
	var complaints string
	if !a.opts.Offline {
		step := a.opts.Progress.Step("package index "+a.opts.Arch, 0)
		defer func() { step.Done(err) }()
		// apt-get succeeds when a mirror did not answer, and then goes on with old indexes; its complaints tell.
		if _, complaints, err = a.run(ctx, "apt-get", "update"); err != nil && ctx.Err() != nil {
			return err
		}
	}
	sources, err := a.sources(ctx)
	if err != nil {
		return err
	}
	for line := range strings.Lines(complaints) {
		if matter(line, sources) {
			return report.WithHint(report.Errorf(report.Unavailable, "apt cannot read its package sources: %s", strings.TrimSpace(line[2:])),
				"check the network and the files in /etc/apt, or name a sources.list file with --sources; --offline uses what was fetched before")
		}
	}
	if !slices.ContainsFunc(sources, func(s source) bool { return s.ours }) {
		return a.noArchive()
	}
	return os.WriteFile(filepath.Join(a.dir, "preferences"), []byte(rejections(sources)), 0o644)
}

// matter tells whether a line of apt's complaints means that packages we want may be old or missing. What an archive that
// was never reached is can only be guessed: one that has Debian in its address may be Debian's.
func matter(line string, sources []source) bool {
	if !strings.HasPrefix(line, "E:") && !strings.Contains(line, "ailed to fetch") || strings.Contains(line, "Some index files failed") {
		return false
	}
	known, ours := false, false
	for _, s := range sources {
		ours = ours || s.ours
		if strings.Contains(line, strings.TrimSuffix(s.uri, "/")) {
			if s.ours {
				return true
			}
			known = true
		}
	}
	return !known && (!ours || !strings.Contains(line, ":/") || strings.Contains(line, "debian"))
}

func (a *Archive) noArchive() error {
	if a.opts.Offline {
		return report.WithHint(report.Errorf(report.NotFound, "there is no package index for %s in %s", a.opts.Arch, a.dir),
			"run once without --offline")
	}
	return report.WithHint(report.Errorf(report.NotFound, "the package sources have no Debian archive for %s", a.opts.Arch),
		"name a sources.list file with --sources, such as one line: deb http://MIRROR/debian bookworm main")
}

// source is an archive whose index apt has.
type source struct {
	uri  string
	ours bool   // to choose packages from
	pin  string // what it is by apt_preferences(5)
}

func (a *Archive) sources(ctx context.Context) ([]source, error) {
	out, complaints, err := a.run(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages")
	if err != nil {
		return nil, aptError("list package sources", err, complaints)
	}
	var all []source
	for line := range strings.Lines(out) {
		uri, origin, _ := strings.Cut(strings.TrimSpace(line), " ")
		s := source{uri, a.opts.Sources != "" || origin == "Debian", "release o=" + origin}
		if origin == "$(ORIGIN)" { // it does not say
			u, err := url.Parse(uri)
			if err != nil {
				return nil, fmt.Errorf("package source %s: %w", uri, err)
			}
			s.pin = fmt.Sprintf("origin %q", u.Hostname())
		}
		all = append(all, s)
	}
	return all, nil
}

// rejections are apt preferences by which nothing from others' archives is ever a candidate.
func rejections(sources []source) string {
	var b strings.Builder
	for _, s := range sources {
		if !s.ours {
			fmt.Fprintf(&b, "Package: *\nPin: %s\nPin-Priority: -1\n\n", s.pin)
		}
	}
	return b.String()
}

// run runs one of apt's programs with the archive's configuration, in its folder of packages.
func (a *Archive) run(ctx context.Context, program string, args ...string) (stdout, stderr string, err error) {
	return a.runWithStatus(ctx, nil, program, args...)
}

// runWithStatus is run with apt's status lines (APT::Status-Fd) given to status.
func (a *Archive) runWithStatus(ctx context.Context, status io.Writer, program string, args ...string) (stdout, stderr string, err error) {
	args = append([]string{"-q", "-c", filepath.Join(a.dir, "apt.conf")}, args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join(a.dir, "archives")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = 5 * time.Second
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if status != nil {
		cmd.Args = append(cmd.Args, "-o", "APT::Status-Fd=1")
		cmd.Stdout = status
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.String(), complaints.String(), err
}

// aptError says what apt complained of last, which is where it gives the reason.
func aptError(what string, err error, complaints string) error {
	reason := ""
	for line := range strings.Lines(complaints) {
		if strings.HasPrefix(line, "E:") || reason == "" {
			reason = strings.TrimSpace(line)
		}
	}
	if reason == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return report.Errorf(report.Unavailable, "%s: %s", what, strings.TrimPrefix(reason, "E: "))
}

// Find gives the packages that apt would install, in the order of names. One that it does not know is an error.
func (a *Archive) Find(ctx context.Context, names ...string) ([]Package, error) {
	found, err := a.candidates(ctx, names)
	if err != nil {
		return nil, err
	}
	var missing []string
	pkgs := make([]Package, 0, len(names))
	for _, n := range names {
		p, ok := found[n]
		if !ok {
			missing = append(missing, n)
			continue
		}
		pkgs = append(pkgs, p)
	}
	if len(missing) > 0 {
		return nil, report.WithHint(report.Errorf(report.NotFound, "no package %s for %s in the package sources", strings.Join(missing, ", "), a.opts.Arch),
			"apt-cache policy %s shows what this machine's sources offer", missing[0])
	}
	return pkgs, nil
}

// candidates is Find without an error for what is missing.
func (a *Archive) candidates(ctx context.Context, names []string) (map[string]Package, error) {
	found := map[string]Package{}
	if len(names) == 0 {
		return found, nil
	}
	out, complaints, err := a.run(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	if err != nil && !strings.Contains(complaints, "No packages found") {
		return nil, aptError("read apt's index", err, complaints)
	}
	for _, f := range stanzas(out) {
		p, err := packageOf(f)
		if err != nil {
			return nil, err
		}
		found[p.Name] = p
	}
	return found, nil
}

// Libraries are the packages of shared libraries (section libs) that pkgs depend on, however indirectly, by name.
// Other dependencies are for what programs run, not for what they link.
func (a *Archive) Libraries(ctx context.Context, pkgs []Package) ([]Package, error) {
	libs, seen := map[string]Package{}, map[string]bool{}
	for len(pkgs) > 0 {
		var names []string
		for _, p := range pkgs {
			for _, d := range p.Depends {
				if !seen[d] {
					seen[d] = true
					names = append(names, d)
				}
			}
		}
		found, err := a.candidates(ctx, names)
		if err != nil {
			return nil, err
		}
		pkgs = nil
		for _, n := range names {
			if p := found[n]; p.Section == "libs" || strings.HasSuffix(p.Section, "/libs") {
				libs[n] = p
				pkgs = append(pkgs, p)
			}
		}
	}
	return slices.SortedFunc(maps.Values(libs), func(x, y Package) int { return strings.Compare(x.Name, y.Name) }), nil
}
