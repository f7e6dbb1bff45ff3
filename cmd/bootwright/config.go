package main

import (
	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/cmd/bootwright/configcmd"
)

func newConfigCommand(a *app) *cobra.Command {
	cmd := configcmd.New(configcmd.Env{Stdout: a.stdout, Say: a.say, Annotations: map[string]string{parseOnly: "needs an ISO"}})
	cmd.GroupID = groupMake
	return cmd
}
