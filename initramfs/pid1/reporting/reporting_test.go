package reporting

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/machine/bootreport"
)

// files is one file, or a disk that is full.
type files struct {
	name    string
	content []byte
	fault   error
}

func (f *files) MkdirAll(string, fs.FileMode) error { return f.fault }

func (f *files) WriteFile(name string, data []byte, _ fs.FileMode) error {
	f.name, f.content = name, data
	return nil
}

// TestSave: what is kept is what is printed, and what is printed does not hang on the keeping.
func TestSave(t *testing.T) {
	r := New()
	r.Phase("root", time.Second, 3*time.Second)
	r.Fault("root", errors.New("no image"), true)
	kept := &files{}
	line, err := r.Save(kept)
	if err != nil || kept.name != bootreport.Path || !bytes.HasSuffix(line, kept.content) {
		t.Errorf("%s: %s, %v; printed %s", kept.name, kept.content, err, line)
	}
	got, err := bootreport.Find(line)
	if err != nil || got.Phases[0] != (bootreport.Phase{Name: "root", StartMS: 1000, DurationMS: 2000}) ||
		got.Errors[0] != (bootreport.Error{Step: "root", Error: "no image", Fatal: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	full := errors.New("no space")
	if again, err := r.Save(&files{fault: full}); !errors.Is(err, full) || !bytes.Equal(again, line) {
		t.Errorf("%s, %v", again, err)
	}
}

// TestKeep: changes that come together are printed once, and what was read, said again or has been printed is no change.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, printed := New(), 0
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- r.Keep(ctx, func() {
				printed++
				r.Save(&files{})
			})
		}()
		for i, step := range []struct {
			do   func()
			want int
		}{
			{func() { r.Look(func(*bootreport.Report) {}) }, 0},
			{func() {
				r.Change(func(r *bootreport.Report) { r.Epoch = 1 })
				r.Change(func(r *bootreport.Report) { r.Epoch = 2 })
			}, 1},
			{func() {}, 1},
			{func() { r.Change(func(r *bootreport.Report) { r.Epoch = 2 }) }, 1},
			{func() { r.Fault("x", errors.New("y"), false) }, 2},
		} {
			step.do()
			time.Sleep(time.Minute)
			synctest.Wait()
			if printed != step.want {
				t.Errorf("after step %d it was printed %d times, want %d", i, printed, step.want)
			}
		}
		if r.Built() != time.Unix(2, 0) {
			t.Errorf("built %s", r.Built())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
