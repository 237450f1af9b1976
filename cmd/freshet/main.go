// Command freshet is what comes with the library: a caching gateway for any API, and a
// demo API to try it on.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is the command line: one sub-command a field, one file each.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Serve any API from a cache in front of it."`
	Config  configCommand  `cmd:"" help:"Check or begin a file for serve."`
	Demo    demoCommand    `cmd:"" help:"Serve a demo API, a blog on SQLite, behind the cache."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() { run(0) }

// run runs the command line, as main does, with so many posts in a new demo;
// 0 means the default.
func run(posts int) {
	line := kong.Parse(&commands{Demo: demoCommand{posts: posts}},
		kong.Name("freshet"),
		kong.Description("Response caching for APIs that is never stale after a write."),
		kong.UsageOnError(),
	)
	if err := line.Run(); err != nil {
		// Errors of the library begin with its name already.
		fmt.Fprintln(os.Stderr, "freshet:", strings.TrimPrefix(err.Error(), "freshet: "))
		os.Exit(1)
	}
}
