package ovf

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func machine() Machine {
	return Machine{Name: "vmware-amd64", Version: "v1 <&>", Arch: "amd64", UEFI: true, Capacity: 8 << 30, DiskSize: 123, DiskFile: "vmware-amd64.vmdk"}
}

func described(t *testing.T, m Machine) []byte {
	t.Helper()
	b, err := Descriptor(m)
	if err != nil {
		t.Fatal(err)
	}
	p, err := blob.ReadAll(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRules checks what DSP0243 asks of a description: sections in the order of the schema, references that lead somewhere,
// and each Item's fields in the order of their names, which is that of the CIM schema.
func TestRules(t *testing.T) {
	d := xml.NewDecoder(bytes.NewReader(described(t, machine())))
	var path, seen []string
	values := map[string]string{}
	last := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			seen = append(seen, strings.Join(path, "/"))
			for _, a := range token.Attr {
				values[token.Name.Local+"@"+a.Name.Local] = a.Value
			}
			if wantSpace := map[string]string{"Item": nsOVF, "InstanceID": nsRASD, "Config": nsVMW}[token.Name.Local]; wantSpace != "" &&
				token.Name.Space != wantSpace && token.Name.Space != nsVSSD {
				t.Errorf("%s is in %s", token.Name.Local, token.Name.Space)
			}
			switch {
			case token.Name.Local == "Item":
				last = ""
			case len(path) > 1 && path[len(path)-2] == "Item":
				if token.Name.Local < last {
					t.Errorf("%s comes after %s", token.Name.Local, last)
				}
				last = token.Name.Local
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	order := "Envelope Envelope/References Envelope/DiskSection Envelope/NetworkSection Envelope/VirtualSystem"
	var top []string
	for _, s := range seen {
		if strings.Count(s, "/") < 2 {
			top = append(top, s)
		}
	}
	if got := strings.Join(top, " "); got != order {
		t.Errorf("sections: %s", got)
	}
	for name, want := range map[string]string{
		"File@id": "file1", "Disk@fileRef": "file1", "Disk@diskId": "disk1", "File@href": "vmware-amd64.vmdk", "File@size": "123",
		"Disk@capacity": "8589934592", "Config@value": "efi",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
}

// TestJudge: xmllint reads it.
func TestJudge(t *testing.T) {
	oracle.Need(t, "xmllint")
	file := filepath.Join(t.TempDir(), "x.ovf")
	if err := os.WriteFile(file, described(t, machine()), 0o644); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, "xmllint", "--noout", "--nonet", file)
	if got := oracle.Run(t, "xmllint", "--xpath", "string(//*[local-name()='FullVersion'])", file); strings.TrimSpace(got) != "v1 <&>" {
		t.Errorf("version %q", got)
	}
}

func TestManifest(t *testing.T) {
	p, _ := blob.ReadAll(Manifest(File{"a.ovf", blob.SumBytes(nil)}, File{"a.vmdk", blob.SumBytes([]byte("x"))}), 1000)
	want := "SHA256(a.ovf)= e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" +
		"SHA256(a.vmdk)= 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n"
	if string(p) != want {
		t.Errorf("%s", p)
	}
}

func TestRefused(t *testing.T) {
	for _, change := range []func(*Machine){
		func(m *Machine) { m.Arch = "riscv64" }, func(m *Machine) { m.Name = "" }, func(m *Machine) { m.Capacity = 0 }, func(m *Machine) { m.DiskFile = "" },
	} {
		m := machine()
		change(&m)
		if _, err := Descriptor(m); report.KindOf(err) != report.Invalid {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
