package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ParseOnly is the annotation of a command whose examples need inputs too big for a test: they are parsed and not run.
const ParseOnly = "examples-parse-only"

// Parent makes cmd a command that does nothing but hold children.
func Parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return UnknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// Arguments accepts least to most arguments; what names them in messages.
func Arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > most && most == 0:
			return fmt.Errorf("%s takes no arguments, not %q", cmd.CommandPath(), args)
		case len(args) > most:
			return fmt.Errorf("%s takes %s, not also %q", cmd.CommandPath(), what, args[most:])
		case len(args) < least:
			return fmt.Errorf("%s needs %s", cmd.CommandPath(), what)
		case slices.Contains(args, ""):
			return fmt.Errorf("%s takes %s, and %q is nothing", cmd.CommandPath(), what, "")
		}
		return nil
	}
}

// Choice is a flag that takes one of a few words; the help lists them.
type Choice struct {
	value *string
	words []string
}

// NewChoice stores the chosen word in value, which starts as the first word.
func NewChoice(value *string, words ...string) *Choice {
	*value = words[0]
	return &Choice{value, words}
}

// Set is for pflag.
func (c *Choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("want one of %s", strings.Join(c.words, ", "))
	}
	*c.value = word
	return nil
}

// String is for pflag.
func (c *Choice) String() string { return *c.value }

// Type is for pflag.
func (c *Choice) Type() string { return strings.Join(c.words, "|") }

// completeChoices offers the words of every Choice of cmd, and of the commands below it, in the shell.
func completeChoices(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if c, ok := f.Value.(*Choice); ok {
				CompleteWords(cmd, f.Name, c.words)
			}
		})
	}
	for _, child := range cmd.Commands() {
		completeChoices(child)
	}
}

// CompleteWords offers words for a flag of cmd in the shell. The flag has to be bound already.
func CompleteWords(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("cli: " + err.Error())
	}
}

// PrintJSON prints v indented, with a newline at the end and without escaping HTML.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// ReadAll is io.ReadAll that ctx can end while nothing comes. The reader must not be used any more after that.
func ReadAll(ctx context.Context, r io.Reader) ([]byte, error) {
	return Await(ctx, func() ([]byte, error) { return io.ReadAll(r) })
}

// Await is what do returns, or the end of ctx where that comes first: do then goes on by itself.
func Await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	if err := ctx.Err(); err != nil {
		return *new(T), err
	}
	done := make(chan result, 1)
	go func() {
		v, err := do()
		done <- result{v, err}
	}()
	select {
	case got := <-done:
		return got.v, got.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
