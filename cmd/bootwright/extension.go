package main

import (
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/cmd/bootwright/extensioncmd"
)

func newExtensionCommand(a *app) *cobra.Command {
	cmd := extensioncmd.New(extensioncmd.Env{Stdout: a.stdout, Stderr: a.stderr, Quiet: &a.quiet, Bind: func(cmd *cobra.Command, reads bool) func() (*extensioncmd.Session, error) {
		var opts requestOptions
		opts.bindCache(cmd)
		if reads {
			opts.bindKeys(cmd)
		}
		return func() (*extensioncmd.Session, error) {
			s, err := openSession(a, opts)
			if err != nil {
				return nil, err
			}
			return &extensioncmd.Session{Builder: s.builder, Progress: s.progress}, nil
		}
	}})
	cmd.GroupID = groupMake
	return cmd
}
