package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag that takes one of a few words; the help lists them.
type choice struct {
	value *string
	words []string
}

// newChoice stores the chosen word in value, which starts as the first word.
func newChoice(value *string, words ...string) *choice {
	*value = words[0]
	return &choice{value, words}
}

func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("want one of %s", strings.Join(c.words, ", "))
	}
	*c.value = word
	return nil
}

func (c *choice) String() string { return *c.value }

// completeChoices offers the words of every choice of cmd, and of the commands below it, in the shell.
func completeChoices(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if c, ok := f.Value.(*choice); ok {
				completeWords(cmd, f.Name, c.words)
			}
		})
	}
	for _, child := range cmd.Commands() {
		completeChoices(child)
	}
}

// completeWords offers words for a flag in the shell.
func completeWords(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("bootwright: " + err.Error()) // the flag was bound before
	}
}

func (c *choice) Type() string { return strings.Join(c.words, "|") }
