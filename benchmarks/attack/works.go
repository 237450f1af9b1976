package main

import (
	"context"
	"fmt"
)

// works fails unless c caches and invalidates when nothing else is going on. A
// cache that is used wrongly would otherwise pass for one that loses the race.
func works(ctx context.Context, c cache, o *origin) error {
	const id = "works"
	o.set(id, before)
	for range 2 {
		if err := expect(ctx, c, id, before); err != nil {
			return err
		}
	}
	if n := o.count(id); n != 1 {
		return fmt.Errorf("two reads, one after the other, took %d loads", n)
	}
	if err := c.write(ctx, id, func() { o.set(id, after) }); err != nil {
		return err
	}
	return expect(ctx, c, id, after)
}

func expect(ctx context.Context, c cache, id, want string) error {
	got, err := c.read(ctx, id)
	if err == nil && got != want {
		err = fmt.Errorf("a read answers %q, not %q", got, want)
	}
	return err
}
