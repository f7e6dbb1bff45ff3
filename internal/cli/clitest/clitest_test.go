package clitest

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestPrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want string
		same      bool
	}{
		{"", "", true},
		{"a\n", "", false},
		{"", "a\n", false},
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n", "a\n", false},
		{"a\nb\nc\n", "a\n...\n", true},
		{"a\nb\nc\n", "...\nc\n", true},
		{"a\nb\nc\n", "...\nb\n", false},
		{"", "...\n", true},
		{"took 12 ms\n", "took ... ms\n", true},
		{"took 12 s\n", "took ... ms\n", false},
	} {
		if got := Printed(slices.Collect(strings.Lines(c.got)), slices.Collect(strings.Lines(c.want))); got != c.same {
			t.Errorf("%q for %q: %v", c.got, c.want, got)
		}
	}
}

func TestUnlisted(t *testing.T) {
	t.Parallel()
	run := func(*cobra.Command, []string) {}
	root, group := &cobra.Command{Use: "tool"}, &cobra.Command{Use: "config"}
	group.AddCommand(&cobra.Command{Use: "show FILE", Run: run}, &cobra.Command{Use: "set FILE", Run: run})
	root.AddCommand(group, &cobra.Command{Use: "plan", Run: run}, &cobra.Command{Use: "secret", Run: run, Hidden: true})
	for text, want := range map[string]string{
		"":                                      "tool config set,tool config show,tool plan",
		"Run `tool config show`, or tool plans": "tool config set,tool plan",
		"tool plan\ntool config set x\ntool config show": "",
	} {
		if got := strings.Join(unlisted(root, text), ","); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	const page = "# One\n```console\n$ a\n1\n$ b\n```\ntext\n```console\n$ c\n```\n# None\n```\n$ no\n```\n## Two\n```console\n$ d\n```\n"
	var got []string
	for _, s := range sessions(page) {
		for _, c := range s {
			got = append(got, strings.TrimSpace(c.command)+strings.TrimSpace(strings.Join(c.want, "")))
		}
		got = append(got, ";")
	}
	if strings.Join(got, "") != "a1bc;d;" {
		t.Errorf("read as %q", got)
	}
}
