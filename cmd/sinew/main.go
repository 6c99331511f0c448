// Command sinew is the whole product: server, command line and parser child.
package main

import (
	"os"

	"github.com/sinewsec/sinew/internal/cli"
)

// version is set by the build.
var version = "development"

func main() { os.Exit(cli.Main(version)) }
