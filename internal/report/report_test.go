package report

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestKindAndHintSurviveWrapping(t *testing.T) {
	err := fmt.Errorf("build: %w", WithHint(Errorf(NotFound, "no %s: %w", "vmlinuz", fs.ErrNotExist), "look in %s", "the base"))
	if KindOf(err) != NotFound || HintOf(err) != "look in the base" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("kind %v, hint %q, error %v", KindOf(err), HintOf(err), err)
	}
	if outer := Errorf(Unavailable, "registry: %w", err); KindOf(outer) != Unavailable || HintOf(outer) != "look in the base" {
		t.Errorf("the outermost kind and the first hint count: %v, %q", KindOf(outer), HintOf(outer))
	}
	if KindOf(errors.New("plain")) != Internal || HintOf(errors.New("plain")) != "" {
		t.Error("an error nobody gave a kind is internal and has no hint")
	}
}

func TestFindingShowsThePlace(t *testing.T) {
	f := Finding{Severity: Fault, File: "p.yaml", Line: 3, Column: 4, Path: "output.kind", Message: "unknown kind",
		Hint: "did you mean iso?", Source: "\t  kind: isso"}
	want := "p.yaml:3:4: output.kind: unknown kind\n  \t  kind: isso\n  \t  ^\n  hint: did you mean iso?"
	if got := f.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Finding{Message: "x", Severity: Warning}).String(); got != "warning: x" {
		t.Errorf("without a place: %q", got)
	}
}

func TestFindings(t *testing.T) {
	fs := Findings{{File: "a", Line: 9, Message: "late"}, {File: "a", Line: 2, Message: "early"}}
	if fs.Err() != nil {
		t.Error("warnings alone are no error")
	}
	fs = append(fs, Finding{File: "a", Line: 5, Severity: Fault, Message: "fault"})
	fs.Sort()
	if err := fs.Err(); KindOf(err) != Invalid || fs[0].Message != "early" || fs[1].Message != "fault" {
		t.Errorf("kind %v, order %v", KindOf(err), fs)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"arch", "platform", "output", "customization"}
	for word, want := range map[string]string{
		"ach": "arch", "paltform": "platform", "Output": "output", "custmization": "customization", "zebra": "", "": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q; want %q", word, got, want)
		}
	}
}
