package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	gincache "github.com/chenyahui/gin-cache"
	"github.com/chenyahui/gin-cache/persist"
	"github.com/gin-gonic/gin"
	redisv8 "github.com/go-redis/redis/v8"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	fibercache "github.com/gofiber/fiber/v3/middleware/cache"
)

// web is a cache that wraps HTTP handlers; GET /items/{id} reads.
type web struct {
	handler http.Handler
	change  func(ctx context.Context, id string, commit func()) error
	end     func()
}

func (w *web) read(ctx context.Context, id string) (string, error) {
	return w.send(ctx, http.MethodGet, "/items/"+id)
}

func (w *web) write(ctx context.Context, id string, commit func()) error {
	return w.change(ctx, id, commit)
}

func (w *web) close() { w.end() }

func (w *web) send(ctx context.Context, method, target string) (string, error) {
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, httptest.NewRequest(method, target, nil).WithContext(ctx))
	if answer.Code >= http.StatusMultipleChoices {
		return "", fmt.Errorf("%s %s is answered %d: %s", method, target, answer.Code, answer.Body)
	}
	return answer.Body.String(), nil
}

// newGin is gin-cache on Redis. It shows no invalidation; what there is is the
// Delete of its store, with the key that the middleware has made.
func newGin(o *origin, addr string) (cache, error) {
	gin.SetMode(gin.ReleaseMode)
	client := redisv8.NewClient(&redisv8.Options{Network: "tcp", Addr: addr})
	store := persist.NewRedisStore(client)
	app := gin.New()
	app.GET("/items/:id", gincache.CacheByRequestURI(store, ttl), func(c *gin.Context) {
		c.String(http.StatusOK, o.load(c.Param("id")))
	})
	change := func(_ context.Context, id string, commit func()) error {
		commit()
		return store.Delete("/items/" + id)
	}
	return &web{app, change, func() { client.Close() }}, nil
}

// newFiber is fiber's middleware with the CacheInvalidator of its documentation:
// a query parameter, sent by the write in a request of its own.
func newFiber(o *origin, _ string) (cache, error) {
	app := fiber.New()
	app.Use(fibercache.New(fibercache.Config{
		Expiration: ttl,
		CacheInvalidator: func(c fiber.Ctx) bool {
			return fiber.Query[bool](c, "invalidateCache")
		},
	}))
	app.Get("/items/:id", func(c fiber.Ctx) error {
		// Fiber's strings are valid until the handler returns, the origin's stay.
		return c.SendString(o.load(strings.Clone(c.Params("id"))))
	})
	w := &web{handler: adaptor.FiberApp(app), end: func() {}}
	w.change = func(ctx context.Context, id string, commit func()) error {
		commit()
		_, err := w.send(ctx, http.MethodGet, "/items/"+id+"?invalidateCache=true")
		return err
	}
	return w, nil
}
