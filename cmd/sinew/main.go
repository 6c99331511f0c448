// Command sinew is the whole product: server, command line and parser child.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sinewsec/sinew/internal/cli"
)

// version is set by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.DefaultEnv(version), os.Args[1:])
	stop()
	os.Exit(code)
}
