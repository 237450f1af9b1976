module github.com/freshet-dev/freshet/benchmarks

go 1.26

require (
	github.com/freshet-dev/freshet v0.0.0
	github.com/go-chi/chi/v5 v5.5.0
	github.com/google/go-cmp v0.7.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/maypok86/otter/v2 v2.4.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/freshet-dev/freshet => ../
