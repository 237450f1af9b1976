// Command chaos attacks real processes of an API over real Redis with faults of
// all kinds, under load, and judges every answer: see docs/chaos.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run runCommand `cmd:"" default:"withargs" help:"Attack, and report."`
	API apiCommand `cmd:"" name:"api" hidden:"" help:"Be one of the processes that are attacked."`
}

func main() {
	line := kong.Parse(&commands{},
		kong.Name("chaos"),
		kong.Description("Attacks an API behind freshet, and looks for answers that are wrong."),
		kong.UsageOnError(),
	)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process, as by default; Linux
	// then ends what it has started.
	context.AfterFunc(ctx, stop)
	line.BindTo(ctx, (*context.Context)(nil))
	err := line.Run()
	stop()
	if err != nil {
		if !errors.Is(err, errViolated) {
			fmt.Fprintln(os.Stderr, "chaos:", err)
		}
		os.Exit(1)
	}
}
