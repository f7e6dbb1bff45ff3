package cel

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// disk is an NVMe disk of 10 GB.
func disk() Values {
	v := Units()
	for name, value := range map[string]any{
		"disk.size": uint64(10_000_000_000), "disk.transport": "nvme", "disk.model": "QEMU NVMe Ctrl", "disk.serial": "deadbeef",
		"disk.rotational": false, "disk.cdrom": false, "disk.secondary_disks": []any{"sda", "sdb"}, "disk.sector_size": uint64(512),
	} {
		v[name] = value
	}
	return v // system_disk is unknown
}

func TestEval(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]any{
		"disk.transport == 'nvme'":                                 true,
		"disk.transport == 'scsi' && disk.size < 2u * TiB":         false,
		"disk.serial.startsWith('deadbeef') && !disk.cdrom":        true,
		"disk.size > 9u * GB && disk.size < 1u * TB":               true,
		"disk.size >= 10u*GB":                                      true,
		"glob('QEMU*', disk.model)":                                true,
		"glob('QEMU?', disk.model)":                                false,
		"glob('*NVMe*l', disk.model)":                              true,
		"disk.model.matches('^QEMU .* Ctrl$')":                     true,
		"matches(disk.model, r'\\d')":                              false,
		"disk.transport in ['nvme', \"sata\"]":                     true,
		"size(disk.secondary_disks) == 2 ? 'two' : 'not'":          "two",
		"disk.secondary_disks[1]":                                  "sdb",
		"disk.model.size()":                                        int64(14),
		"'ä'.size()":                                               int64(1),
		"disk.model.lowerAscii().contains('nvme')":                 true,
		"true || system_disk":                                      true, // the unknown side does not matter
		"system_disk || true":                                      true,
		"false && system_disk":                                     false,
		"1 + 2 * 3 - -4 % 3":                                       int64(8),
		"7 / 2":                                                    int64(3),
		"-7 / 2":                                                   int64(-3),
		"7.0 / 2.0":                                                3.5,
		"0x10u + 1u":                                               uint64(17),
		"-9223372036854775808":                                     int64(-9223372036854775808),
		"1 < 2 == true":                                            true,
		"uint('12') + uint(3)":                                     uint64(15),
		"string(5u) + 'x'":                                         "5x",
		"int(3.9)":                                                 int64(3),
		"double(disk.sector_size) > 1e2":                           true,
		`'it\'s' + "\u00e4\t\"" + r'\n'`:                           "it'sä\t\"\\n",
		"(disk.rotational ? 1 : 2) == 2 // a comment":              true,
		"KiB == 1024u && EiB == 1152921504606846976u && kB==1000u": true,
	} {
		p, err := Compile(expr, Disk())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got, err := p.Eval(disk()); err != nil || got != want || p.Type() != typeOf(want) {
			t.Errorf("%s = %v, %v (%s); want %v", expr, got, err, p.Type(), want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"":                                      "0: a value is missing ()",
		"disk.size > 10 * GiB":                  "15: * does not take int and uint (sizes are unsigned: write 10u, not 10)",
		"disk.serial.startsWith('a') && !cdrom": "32: unknown name cdrom (did you mean disk.cdrom?)",
		"disk.sise > 1u":                        "0: unknown name disk.sise (did you mean disk.size?)",
		"disk.size > 'a'":                       "10: > does not take uint and string ()",
		"disk.transport = 'nvme'":               "15: '=' fits nowhere ()",
		"disk.transport == 'nvme":               "18: '\\'' fits nowhere ()",
		"(true":                                 "5: ) is missing ()",
		"true true":                             "5: true is not expected here ()",
		"true &&":                               "7: a value is missing ()",
		"foo(1)":                                "0: unknown function foo ()",
		"disk.model.foo()":                      "11: unknown function foo ()",
		"has(disk.model)":                       "0: unknown function has ()",
		"[1, 'a'] == [1]":                       "4: a list of int has an item of type string ()",
		"1[0] == 1":                             "1: an index needs a list and an int, not int and int ()",
		"true ? 1 : 'a'":                        "5: ?: needs a bool and two values of one type, not bool, int and string ()",
		"disk.model.matches('(')":               "19: error parsing regexp: missing closing ): `(` ()",
		"99999999999999999999 > 1":              "0: 99999999999999999999 is not a number, or too big ()",
		"'\\q' == 'a'":                          "0: '\\q' has an escape that is not known ()",
		"'a'.b":                                 "5: only variables have fields ()",
		"a.":                                    "2: a name is missing after the dot ()",
		strings.Repeat("(", 100):                "64: more than 64 levels deep ()",
		strings.Repeat("!", 100):                "63: more than 64 levels deep ()",
		strings.Repeat("1+", 300) + "1":         "515: too many operators in a row ()",
		strings.Repeat(" ", 5000):               "0: the expression is longer than 4096 bytes ()",
	} {
		_, err := Compile(expr, Disk())
		e, ok := errors.AsType[*Error](err)
		if !ok || report.KindOf(err) != report.Invalid {
			t.Errorf("%.40s: %v", expr, err)
			continue
		}
		if got := fmt.Sprintf("%d: %s (%s)", e.Offset, e.Message, report.HintOf(err)); got != want {
			t.Errorf("%.40s: %s\nwant %s", expr, got, want)
		}
	}
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"system_disk":                  "system_disk is not known",
		"system_disk || false":         "system_disk is not known",
		"1 / 0":                        "division by zero",
		"1u % 0u":                      "division by zero",
		"1u - 2u":                      "overflows",
		"16u * EiB":                    "overflows",
		"9223372036854775807 + 1":      "overflows",
		"-9223372036854775808 - 1":     "overflows",
		"-9223372036854775808 / -1":    "overflows",
		"-(-9223372036854775808)":      "overflows",
		"disk.secondary_disks[2]":      "out of range",
		"uint('x')":                    `"x" is not of type uint`,
		"uint(-1)":                     `"-1" is not of type uint`,
		"disk.model.matches('(' + '')": "is not a regular expression",
		"disk.model + " + "'" + strings.Repeat("a", 3000) + "' == ''": "",
	} {
		p, err := Compile(expr, Disk())
		if err != nil {
			t.Errorf("%.40s: %v", expr, err)
			continue
		}
		if _, err := p.Eval(disk()); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40s: %v, want %s", expr, err, want)
		}
	}
	p, err := Compile("disk.model", Disk())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Match(disk()); err == nil {
		t.Error("text matches")
	}
	p, err = Compile("volume.partition_label == 'META' && volume.name in ['', 'talosmeta'] && volume.size == 1048576u", Volume())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Match(Values{"volume.partition_label": "META", "volume.name": "", "volume.size": uint64(1 << 20)}); !ok || err != nil {
		t.Error(ok, err)
	}
}

// FuzzCEL: any text compiles or does not; what compiles gives a value of its type or an error.
func FuzzCEL(f *testing.F) {
	for _, s := range []string{"disk.size > 10u * GiB ? 'a' in ['b'] : !true", "glob('*a*b?', disk.model) || matches('a', 'b+')", "[[1]][0][0] - -1", "'\\x41' + string(1.5)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		p, err := Compile(expr, Disk())
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatal(err)
			}
			return
		}
		v, err := p.Eval(disk())
		if _, isList := v.([]any); err == nil && !isList && typeOf(v) != p.Type() {
			t.Fatalf("%q is %v, not of type %s", expr, v, p.Type())
		}
	})
}
