package main

import (
	"fmt"
	"slices"
	"strings"
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

func (c *choice) Type() string { return strings.Join(c.words, "|") }
