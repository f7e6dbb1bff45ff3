package documents

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/documents/download"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

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
			g, err := c.f.Find(t.Context(), download.Variables{})
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
	f := Finder{Files: volumes(t, nil), Download: download.Client{Dial: (&net.Dialer{}).DialContext, Now: time.Now}, Platform: "nocloud", Serial: "ds=nocloud-net;h=a;s=" + s.URL + "/x"}
	g, err := f.Find(t.Context(), download.Variables{})
	if err != nil || g.Source != "nocloud" || g.Origin != s.URL+"/x/user-data" || g.Hostname != "seeded" || !f.Online() {
		t.Errorf("%+v, %v", g, err)
	}
	f.Platform = "metal"
	if g, err := f.Find(t.Context(), download.Variables{}); err != nil || g.Text != nil || f.Online() {
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

func FuzzHostname(f *testing.F) {
	f.Add([]byte("local-hostname: a\nother: [1]\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if name := hostname(p); strings.ContainsAny(name, " \t\n/") {
			t.Errorf("%q", name)
		}
	})
}
