package documents

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	v := Variables{UUID: "u-1", Serial: "a b&c", MAC: "52:54:00:00:00:01"}
	for in, want := range map[string]string{
		"http://h/${uuid}.yaml": "http://h/u-1.yaml", "http://h/?s=${serial}&m=${mac}": "http://h/?s=a%20b%26c&m=52%3A54%3A00%3A00%3A00%3A01",
		"http://h/$": "http://h/$", "http://h/": "http://h/",
		"http://h/${hostname}/${hostname}": "error: the machine does not know its: ${hostname}, ${hostname}",
		"http://h/${uid}":                  "error: there is no variable ${uid}; there are ${uuid}, ${serial}, ${mac} and ${hostname}",
		"http://h/${uuid":                  "error: ${ without }",
	} {
		got, err := Expand(in, v)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func downloader() Downloader {
	return Downloader{Dial: (&net.Dialer{}).DialContext, Now: time.Now}
}

func TestGet(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/good": "version: v1alpha1\n", "/gzip": zipped("version: v1alpha1\n"), "/empty": " \n", "/page": "<!DOCTYPE html><html>",
		"/broken": "\x1f\x8bnonsense", "/large": strings.Repeat("#", maxText+1), "/bomb": zipped(strings.Repeat("#", maxText+1)),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		w.Write([]byte(text))
	}))
	defer s.Close()
	for path, want := range map[string]string{
		"/good": "version: v1alpha1\n", "/gzip": "version: v1alpha1\n", "/empty": "nothing in it", "/page": "page for browsers", "/broken": "gzip",
		"/large": "more than 16777216 bytes", "/bomb": "unpack gzip: more than", "/other": `the server answers "418 I'm a teapot"`,
	} {
		text, err := downloader().Get(t.Context(), s.URL+path)
		if err != nil {
			text = []byte(err.Error())
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %.200s, want %s", path, text, want)
		}
	}
	s.Close()
	_, err := downloader().Get(t.Context(), strings.Replace(s.URL, "://", "://user:hunter2@", 1)+"/x?token=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestBare(t *testing.T) {
	t.Parallel()
	from := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40001}
	to := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 80}
	for want, err := range map[string]error{
		"read 10.0.0.9:80: reset":      &url.Error{Op: "Get", URL: "http://h?s=secret", Err: &net.OpError{Op: "read", Net: "tcp", Source: from, Addr: to, Err: errors.New("reset")}},
		"nobody knows the name h":      &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "h", IsNotFound: true, Server: "10.0.0.53:53"}},
		"no name server answers for h": &net.DNSError{Name: "h", Err: "read udp 10.0.0.2:40001->10.0.0.53:53: i/o timeout", IsTimeout: true},
		"other":                        errors.New("other"),
	} {
		if got := bare(err).Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestTLS: certificates are checked, against the time that the machine can be sure of.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("a: b")) }))
	defer s.Close()
	s.Config.ErrorLog = nil
	if _, err := downloader().Get(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

// volumes is a machine with a disk that holds nothing and then those of the contents, by device.
func volumes(t *testing.T, devices map[string]blob.Blob) *fake.Machine {
	t.Helper()
	files := map[string]string{"sys/class/block/loop0/size": "8\n", "dev/loop0": "", "sys/class/block/vda/size": "8\n", "dev/vda": strings.Repeat("\x00", 4096), "sys/class/block/sr1/size": "0\n"}
	for name, b := range devices {
		p, err := blob.ReadAll(b, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		files["dev/"+name], files["sys/class/block/"+name+"/size"] = string(p), strconv.Itoa(len(p)/512)+"\n"
	}
	return fake.New(t, files)
}

func seed(files map[string]string) *tree.Tree {
	out := &tree.Tree{}
	for name, text := range files {
		out.File(name, 0o644, blob.String(text))
	}
	return out
}

func iso(t *testing.T, label string, files map[string]string) blob.Blob {
	t.Helper()
	b, err := iso9660.Format(seed(files), iso9660.Options{VolumeID: label})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vfat(t *testing.T, label string, files map[string]string) blob.Blob {
	t.Helper()
	b, err := fat.Format(seed(files), fat.Options{Label: label, Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFind(t *testing.T) {
	t.Parallel()
	config := map[string]string{"config.yaml": "a: b\n"}
	nocloud := map[string]string{"user-data": "a: b\n", "meta-data": "instance-id: 1\nlocal-hostname: seeded\n"}
	broken := iso(t, "cidata", nocloud)
	half := blob.Slice(broken, 0, 18*2048)
	for name, c := range map[string]struct {
		f       Finder
		devices map[string]blob.Blob
		want    string // source, origin, host name; or the error
	}{
		"none":             {Finder{Argument: "none"}, map[string]blob.Blob{"sr0": iso(t, "cidata", nocloud)}, "||"},
		"nothing":          {Finder{}, nil, "||"},
		"metal-iso":        {Finder{Argument: "metal-iso"}, map[string]blob.Blob{"sr0": iso(t, "metal-iso", config)}, "metal-iso|/dev/sr0: config.yaml|"},
		"metal-iso on FAT": {Finder{Argument: "metal-iso"}, map[string]blob.Blob{"vdb1": vfat(t, "METAL-ISO", config)}, "metal-iso|/dev/vdb1: config.yaml|"},
		"no metal-iso":     {Finder{Argument: "metal-iso"}, nil, "no file system is labelled metal-iso"},
		"no file":          {Finder{Argument: "metal-iso"}, map[string]blob.Blob{"sr0": iso(t, "metal-iso", nocloud)}, "/dev/sr0: config.yaml: file does not exist"},
		"seed":             {Finder{}, map[string]blob.Blob{"sr0": iso(t, "CIDATA", nocloud)}, "nocloud|/dev/sr0: user-data|seeded"},
		"seed on FAT":      {Finder{}, map[string]blob.Blob{"vdb": vfat(t, "CIDATA", nocloud)}, "nocloud|/dev/vdb: user-data|seeded"},
		"empty seed":       {Finder{}, map[string]blob.Blob{"vdb": vfat(t, "CIDATA", map[string]string{"user-data": ""})}, "there is nothing in it"},
		"damaged seed":     {Finder{}, map[string]blob.Blob{"vdb": half}, "/dev/vdb: "},
		"seed must be":     {Finder{Platform: "nocloud"}, nil, "no file system is labelled cidata"},
		"other scheme":     {Finder{Argument: "ftp://u:p@h/c"}, nil, "must be an http:// or https:// URL"},
		"other variable":   {Finder{Argument: "http://h/${uid}"}, nil, "there is no variable ${uid}"},
		"not known yet":    {Finder{Argument: "http://h/${mac}"}, nil, "http://h/${mac}: the machine does not know its: ${mac}"},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.Files = volumes(t, c.devices)
			g, err := c.f.Find(t.Context(), Variables{})
			got := strings.Join([]string{g.Source, g.Origin, g.Hostname}, "|")
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || err == nil && got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if permanent := strings.HasPrefix(name, "other"); err != nil && (report.KindOf(err) == report.Unsupported) != permanent {
				t.Errorf("%v is of kind %v", err, report.KindOf(err))
			}
		})
	}
}

// TestSeedURL: the serial number of the machine says where its seed is.
func TestSeedURL(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(map[string]string{"/x/user-data": "a: b\n", "/x/meta-data": "hostname: seeded\n"}[r.URL.Path]))
	}))
	defer s.Close()
	f := Finder{Files: volumes(t, nil), Download: downloader(), Platform: "nocloud", Serial: "ds=nocloud-net;h=a;s=" + s.URL + "/x"}
	g, err := f.Find(t.Context(), Variables{})
	if err != nil || g.Source != "nocloud" || g.Origin != s.URL+"/x/user-data" || g.Hostname != "seeded" || !f.Online() {
		t.Errorf("%+v, %v", g, err)
	}
	f.Platform = "metal"
	if g, err := f.Find(t.Context(), Variables{}); err != nil || g.Text != nil || f.Online() {
		t.Errorf("another platform: %+v, %v", g, err)
	}
}

func TestLoadGiven(t *testing.T) {
	t.Parallel()
	bad := strings.Replace(configareatest.Worker("a"), "network:", "netwrok:", 1)
	_, said, err := LoadGiven(Given{Source: "talos.config", Origin: "http://h/c", Text: []byte(bad)})
	if err == nil || !strings.Contains(err.Error(), "http://h/c:7:3 has 1 faults") || said.Source != "talos.config" || len(said.Findings) != 1 {
		t.Errorf("%v, %+v", err, said)
	}
}

// FuzzReadVolume: whatever a medium holds, reading it ends.
func FuzzReadVolume(f *testing.F) {
	files := &tree.Tree{}
	files.File("user-data", 0o644, blob.String("a: b\n"))
	image, err := iso9660.Format(files, iso9660.Options{VolumeID: "cidata"})
	if err != nil {
		f.Fatal(err)
	}
	p, err := blob.ReadAll(image, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		v, err := readVolume(blob.Bytes(p), labelNoCloud)
		if (v != nil) == (err != nil) && (err != nil || v != nil) {
			t.Errorf("volume %v and error %v", v, err)
		}
		if v != nil {
			v.Read(fileUser)
		}
		hostname(p)
		checkText(p)
		Expand(string(p), Variables{})
	})
}
