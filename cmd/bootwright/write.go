package main

import (
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/cmd/bootwright/writecmd"
)

func newWriteCommand(a *app) *cobra.Command {
	cmd := writecmd.New(writecmd.Env{Stdout: a.stdout, Say: a.say, Progress: a.progress, Annotations: map[string]string{parseOnly: "needs a disk"}})
	cmd.GroupID = groupMake
	return cmd
}
