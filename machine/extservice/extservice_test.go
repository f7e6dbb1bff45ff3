package extservice_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/extservice"
)

const whole = `name: hello-1
container:
  entrypoint: ./hello
  args: [--port, "80"]
  environment: [A=b, C=]
  environmentFile: /etc/environment
  mounts:
    - {source: /var/run, destination: /run, type: bind, options: [rbind, ro]}
    - {destination: /tmp, type: tmpfs}
  security:
    writeableSysfs: true
    writeableRootfs: true
    maskedPaths: [/a]
    readonlyPaths: []
    rootfsPropagation: rshared
depends:
  - service: cri
  - path: /run/x
  - network: [addresses, connectivity, hostname, etcfiles]
  - time: true
  - configuration: true
restart: untilSuccess
logToConsole: true
`

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := extservice.Parse("hello.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &extservice.Spec{
		Name: "hello-1", Restart: "untilSuccess", LogToConsole: true,
		Container: extservice.Container{
			Entrypoint: "./hello", Args: []string{"--port", "80"}, Environment: []string{"A=b", "C="}, EnvironmentFile: "/etc/environment",
			Mounts:   []extservice.Mount{{"/run", "bind", "/var/run", []string{"rbind", "ro"}}, {Destination: "/tmp", Type: "tmpfs"}},
			Security: extservice.Security{true, []string{"/a"}, []string{}, true, "rshared"},
		},
		Depends: []extservice.Dependency{{Service: "cri"}, {Path: "/run/x"}, {Network: []string{"addresses", "connectivity", "hostname", "etcfiles"}}, {Time: true}, {Configuration: true}},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("%+v\nwant %+v", s, want)
	}
}

// TestParseRefuses changes one thing of a description that is right.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, says string }{
		{"name: hello-1", "", "needs a name"},
		{"hello-1", "Hello", "h.yaml:1:7: name: \"Hello\" cannot name"},
		{"hello-1", "1", "want text"},
		{"  entrypoint: ./hello", "", "needs an entrypoint"},
		{"entrypoint", "entrypiont", `did you mean "entrypoint"`},
		{"C=", "C", "environment[1]"},
		{"C=", "=x", "sets no variable"},
		{"/etc/environment", "environment", "environmentFile"},
		{"source: /var/run", "source: run", "mounts[0].source"},
		{"destination: /tmp", "destination: tmp", "mounts[1].destination"},
		{"maskedPaths: [/a]", "maskedPaths: [a]", "maskedPaths[0]"},
		{"readonlyPaths: []", "readonlyPaths: [a]", "readonlyPaths[0]"},
		{"rshared", "shraed", "rootfsPropagation"},
		{"  - time: true", "  - {time: true, path: /x}", "depends[3]: the item names 2 things"},
		{"  - time: true", "  - {time: false}", "names 0 things"},
		{"service: cri", "service: hello-1", "waits for itself"},
		{"path: /run/x", "path: run/x", "depends[1].path"},
		{"hostname", "hostnames", "depends[2].network[2]"},
		{"untilSuccess", "onFailure", "one of always, never, untilSuccess"},
		{"logToConsole: true", "---\nname: b", "second document"},
		{whole, "# nothing", "empty"},
	} {
		_, err := extservice.Parse("h.yaml", []byte(strings.Replace(whole, c.from, c.to, 1)))
		reporttest.Want(t, err, report.Invalid, c.says)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Fuzz(func(_ *testing.T, data []byte) { extservice.Parse("x", data) })
}
