package yamldoc

import (
	"errors"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, text := range []string{
		"token: [hunter2]",
		"number: hunter2",
		"tokne: hunter2",
		"token: \"hunter2",
		"token: hunter2\ntoken: hunter2",
		"token: hunter2: hunter2",
		"numbers: hunter2",
		"- hunter2",
		"hunter2",
	} {
		err := Decode("f", []byte(text), &struct {
			Token   string `yaml:"token"`
			Number  int    `yaml:"number"`
			Numbers []int  `yaml:"numbers"`
		}{})
		if err == nil || !strings.Contains(err.Error(), secret) {
			t.Fatalf("%q: %v says nothing that could be hidden", text, err)
		}
		if got := Redact(err); got == nil || strings.Contains(got.Error(), secret) || !strings.HasPrefix(got.Error(), "f:") {
			t.Errorf("%q: %v", text, got)
		}
	}
	if plain := errors.New("plain"); Redact(plain) != plain || Redact(nil) != nil {
		t.Error("an error without findings changes")
	}
}
