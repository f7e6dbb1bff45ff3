package clitest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/cli"
)

// Examples runs every example of every help text of a program's commands, each in a folder of its own that begins as a copy of
// dir. The program has to be in PATH, as testscript.Main puts it there.
func Examples(t *testing.T, newRoot func() *cobra.Command, dir string) {
	for _, e := range examples(newRoot()) {
		t.Run(e.line, func(t *testing.T) {
			t.Parallel()
			if e.parseOnly {
				if err := Parse(newRoot(), e.line); err != nil {
					t.Fatal(err)
				}
				return
			}
			if out, err := shell(t, folder(t, dir), "-ec", e.line); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// example is one command line of a help text.
type example struct {
	line      string
	parseOnly bool
}

// examples are those of cmd and of all commands below it.
func examples(cmd *cobra.Command) []example {
	var out []example
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, example{line, cmd.Annotations[cli.ParseOnly] != ""})
		}
	}
	for _, child := range cmd.Commands() {
		out = append(out, examples(child)...)
	}
	return out
}

// Parse checks that the program's commands of a line exist and take these flags and arguments.
func Parse(root *cobra.Command, line string) error {
	for _, words := range commands(line) {
		if words[0] != root.Name() {
			continue
		}
		cmd, args, err := root.Find(words[1:])
		if err != nil {
			return err
		}
		if err := cmd.ParseFlags(args); err != nil {
			return err
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			return err
		}
	}
	return nil
}

// commands are the words of each command of a line of shell, without redirections; of quotes only '...' are known.
func commands(line string) [][]string {
	out, skip := [][]string{nil}, false
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out[len(out)-1] = append(out[len(out)-1], part)
			continue
		}
		for _, word := range strings.Fields(part) {
			switch {
			case skip:
				skip = false
			case word == "|":
				out = append(out, nil)
			case word == ">", word == "<":
				skip = true
			default:
				out[len(out)-1] = append(out[len(out)-1], word)
			}
		}
	}
	return out
}

// Listed fails for commands of root that the page does not name in full: "wrightctl gen config".
func Listed(t *testing.T, root *cobra.Command, page string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range unlisted(root, string(text)) {
		t.Errorf("%s does not name %s", filepath.Base(page), c)
	}
}

// unlisted are the commands below c that can be run and that text does not name.
func unlisted(c *cobra.Command, text string) (missing []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			missing = append(missing, unlisted(sub, text)...)
		}
	}
	named := regexp.MustCompile(`\b` + regexp.QuoteMeta(c.CommandPath()) + `\b`)
	if c.Runnable() && !named.MatchString(text) {
		missing = append(missing, c.CommandPath())
	}
	return missing
}
