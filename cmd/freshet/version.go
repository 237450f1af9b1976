package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type versionCommand struct{}

// Run prints the version that the go command has stamped into the binary, and
// the Go release that built it.
func (versionCommand) Run(line *kong.Context) error {
	return printVersion(line.Stdout)
}

func printVersion(out io.Writer) error {
	version, goVersion := "(unknown)", "unknown Go"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
	}
	_, err := fmt.Fprintf(out, "freshet %s, %s\n", version, goVersion)
	return err
}
