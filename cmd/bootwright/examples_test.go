package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// example is one command line of a help text.
type example struct {
	line      string
	parseOnly bool
}

// examples are those of cmd and of all commands below it.
func examples(cmd *cobra.Command) []example {
	var out []example
	for line := range strings.Lines(cmd.Example) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, example{line, cmd.Annotations[parseOnly] != ""})
		}
	}
	for _, child := range cmd.Commands() {
		out = append(out, examples(child)...)
	}
	return out
}

// parse checks that bootwright's commands of the line exist and take these flags and arguments.
func (e example) parse() error {
	for _, words := range commands(e.line) {
		if words[0] != "bootwright" {
			continue
		}
		cmd, args, err := newRootCommand(&app{stdout: io.Discard}).Find(words[1:])
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
