package main

import (
	"context"
	"os"
)

// program returns the program to run as API processes.
func (r *run) program(context.Context) (string, error) { return os.Executable() }

func (c *runCommand) controls(context.Context) error { return nil }
