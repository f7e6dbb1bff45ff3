// Command wrightctl makes and checks the configuration of machines and of their clients; docs/wrightctl.md is its manual.
//
// Every subcommand is a file of its own: an options struct, a newXCommand(*app) that binds flags to it, and a
// runX(ctx, *app, options) that does the work and returns an error. root.go lists them; internal/cli makes exit codes of errors.
// No code that builds images is linked.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now()}, os.Args[1:]))
}
