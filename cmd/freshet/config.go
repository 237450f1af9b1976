package main

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/freshet-dev/freshet/gateway"
)

// configCommand is about the file of freshet serve.
type configCommand struct {
	Check   checkCommand   `cmd:"" help:"Say what a file means, or everything that is wrong with it."`
	Example exampleCommand `cmd:"" help:"Print a file to begin with."`
}

type checkCommand struct {
	File string `arg:"" help:"The file, as for freshet serve --config."`
}

// Run prints what has been understood: the routes in the order in which they go
// before each other, and no secret.
func (c checkCommand) Run(line *kong.Context) error {
	config, err := gateway.Load(c.File)
	if err != nil {
		return err
	}
	_, err = io.WriteString(line.Stdout, config.String())
	return err
}

type exampleCommand struct{}

// Run prints the example.
func (exampleCommand) Run(line *kong.Context) error {
	_, err := fmt.Fprint(line.Stdout, example)
	return err
}

// example is a file that shows the fields which most files need. A test reads it.
const example = `# freshet serve --config FILE; docs/gateway.md has every field.
listen: 127.0.0.1:8080

upstreams:
  api:
    servers: [http://127.0.0.1:8000]
    health: {path: /health, every: 5s}

# What no route matches is cached by HTTP's own rules: as answers allow.
routes:
  - pattern: GET /posts/{post_id}
    key: post_cache:{post_id:int}
    ttl: 1h
    stale_if_error: 10m
    tags: ["post:{post_id}"]
  - pattern: PUT /posts/{post_id}
    key: post_cache:{post_id:int}
    invalidate_match: ["search_results_*"]
  - pattern: GET /search
    key: search_results_{q}
    query: [q]
    ttl: 5m
  - pattern: GET /me
    key: me:{caller}
    caller: {header: Authorization}
    ttl: 1m

# Purging needs a token: POST /.freshet/purge, "Authorization: Bearer ...".
# admin: {token_env: FRESHET_TOKEN}
`
