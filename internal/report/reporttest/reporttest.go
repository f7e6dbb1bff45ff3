// Package reporttest checks errors in tests.
package reporttest

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// Want reports unless err has that kind and says all of parts.
func Want(t testing.TB, err error, kind report.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", parts)
		return
	}
	if got := report.KindOf(err); got != kind {
		t.Errorf("error is %s, want %s: %v", got, kind, err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}
