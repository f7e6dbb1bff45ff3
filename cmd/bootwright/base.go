package main

import (
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/cmd/bootwright/basecmd"
)

func newBaseCommand(a *app) *cobra.Command {
	cmd := basecmd.New(basecmd.Env{
		Stdout: a.stdout, Progress: a.progress,
		Bind: func(cmd *cobra.Command) func() (*builder.Builder, error) {
			var opts requestOptions
			opts.bindCache(cmd)
			return func() (*builder.Builder, error) {
				s, err := openSession(a, opts)
				if err != nil {
					return nil, err
				}
				return s.builder, nil
			}
		},
		Annotations: func(needs string) map[string]string { return map[string]string{parseOnly: needs} },
	})
	cmd.GroupID = groupMake
	return cmd
}
