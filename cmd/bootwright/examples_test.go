package main

import (
	"fmt"
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
	for part := range strings.SplitSeq(e.line, "|") {
		words := strings.Fields(strings.ReplaceAll(part, "'", ""))
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
			return fmt.Errorf("%s: %w", e.line, err)
		}
	}
	return nil
}
