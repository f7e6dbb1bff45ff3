package grub

import "testing"

func TestArgs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"quiet":            "'quiet'",
		`a=$b;c`:           "'a=$b;c'",
		`x="a b" y`:        "'x=a b' 'y'",
		`it's`:             `'it'\''s'`,
		"  two   spaces  ": "'two' 'spaces'",
	} {
		if got := args(in); got != want {
			t.Errorf("args(%q) = %s; want %s", in, got, want)
		}
	}
}
