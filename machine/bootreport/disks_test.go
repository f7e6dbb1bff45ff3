package bootreport

import (
	"reflect"
	"testing"

	"github.com/bootwright/bootwright/machine/blockdev"
)

// fill sets all fields of a struct to something.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Pointer:
			f.Set(reflect.ValueOf(&blockdev.Table{DiskSize: 1}))
		default:
			f.SetUint(uint64(i) + 1)
		}
	}
}

// TestReported: a plan of volumes can be made of a report, which therefore keeps all.
func TestReported(t *testing.T) {
	var d blockdev.Disk
	var v blockdev.Volume
	fill(reflect.ValueOf(&d).Elem())
	fill(reflect.ValueOf(&v).Elem())
	if got := ReportDisk(d).Device(); !reflect.DeepEqual(got, d) {
		t.Errorf("got  %+v\nwant %+v", got, d)
	}
	if got := ReportVolume(v).Volume(); !reflect.DeepEqual(got, v) {
		t.Errorf("got  %+v\nwant %+v", got, v)
	}
}
