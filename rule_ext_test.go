package freshet_test

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/freshet-dev/freshet"
)

func TestRuleErrors(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		rule    freshet.Rule
		field   string
		text    string // part of the message
	}{
		{"no key", "GET /x", freshet.Rule{}, "Key", "is empty"},
		{"no key, no pattern", "", freshet.Rule{}, "Key", "is empty"},
		{"unknown placeholder", "GET /posts/{post_id}", freshet.Rule{Key: "p:{pots_id}"}, "Key", "no such wildcard"},
		{"unknown placeholder in a tag", "GET /posts/{id}", freshet.Rule{Key: "p:{id}", Tags: []string{"a", "t:{org}"}}, "Tags", "{org}"},
		{"unknown placeholder in a list", "PUT /posts/{id}", freshet.Rule{Invalidate: []string{"p:{ib}"}}, "Invalidate", "{ib}"},
		{"unknown placeholder in a pattern", "PUT /posts/{id}", freshet.Rule{InvalidateMatch: []string{"p:{ib}*"}}, "InvalidateMatch", "{ib}"},
		{"unknown placeholder in tags", "PUT /posts/{id}", freshet.Rule{InvalidateTags: []string{"p:{ib}"}}, "InvalidateTags", "{ib}"},
		{"ambiguous {}", "GET /a/{user_id}/{post_id}", freshet.Rule{Key: "p:{}"}, "Key", "user_id, post_id"},
		{"no id ends the names", "GET /a/{width}/{x}", freshet.Rule{Key: "p:{}"}, "Key", "several wildcards"},
		{"{} without wildcards", "GET /posts", freshet.Rule{Key: "p:{}"}, "Key", "no wildcard"},
		{"{} without pattern", "", freshet.Rule{Key: "p:{}"}, "Key", "not known here"},
		{"bad template", "GET /x", freshet.Rule{Key: "p:{x"}, "Key", "unclosed {"},
		{"bad type", "GET /{x}", freshet.Rule{Key: "p:{x:float}"}, "Key", "unknown type"},
		{"another type than in the key", "PUT /{id}", freshet.Rule{Key: "i:{:int}", Invalidate: []string{"x:{id:str}"}}, "Invalidate", "one type within a rule"},
		{"glob in a key", "GET /x", freshet.Rule{Key: "p:*"}, "Key", "glob syntax"},
		{"bad glob", "PUT /x", freshet.Rule{InvalidateMatch: []string{"p[a"}}, "InvalidateMatch", "[ is not closed"},
		{"lone backslash", "PUT /x", freshet.Rule{InvalidateMatch: []string{`p\`}}, "InvalidateMatch", "escapes nothing"},
		{"TTL too short", "GET /x", freshet.Rule{Key: "x", TTL: time.Microsecond}, "TTL", "out of range"},
		{"TTL negative", "GET /x", freshet.Rule{Key: "x", TTL: -1}, "TTL", "out of range"},
		{"TTL too long", "GET /x", freshet.Rule{Key: "x", TTL: freshet.MaxTTL + 1}, "TTL", "out of range"},
		{"stale too long", "GET /x", freshet.Rule{Key: "x", StaleWhileRevalidate: freshet.MaxTTL + 1}, "StaleWhileRevalidate", "out of range"},
		{"stale negative", "GET /x", freshet.Rule{Key: "x", StaleIfError: -1}, "StaleIfError", "out of range"},
		{"time-out negative", "GET /x", freshet.Rule{Key: "x", HardTimeout: -1}, "HardTimeout", "out of range"},
		{"soft time-out too short", "GET /x", freshet.Rule{Key: "x", SoftTimeout: time.Microsecond}, "SoftTimeout", "out of range"},
		{"soft time-out of no use", "GET /x", freshet.Rule{Key: "x", SoftTimeout: time.Second, HardTimeout: time.Second}, "SoftTimeout", "not less than"},
		{"lifetime", "GET /x", freshet.Rule{Key: "x", Lifetime: freshet.LifetimeRule + 1}, "Lifetime", "none of"},
		{"jitter", "GET /x", freshet.Rule{Key: "x", Jitter: 1}, "Jitter", "out of range"},
		{"jitter that is no number", "GET /x", freshet.Rule{Key: "x", Jitter: math.NaN()}, "Jitter", "out of range"},
		{"ErrorTTL", "GET /x", freshet.Rule{Key: "x", ErrorTTL: -1}, "ErrorTTL", "out of range"},
		{"MaxBody negative", "GET /x", freshet.Rule{Key: "x", MaxBody: -1}, "MaxBody", "out of range"},
		{"MaxBody absurd", "GET /x", freshet.Rule{Key: "x", MaxBody: 1 << 40}, "MaxBody", "out of range"},
		{"caller without Caller", "GET /x", freshet.Rule{Key: "x:{caller}"}, "Key", "Rule.Caller"},
		{"caller without Caller, no pattern", "", freshet.Rule{Key: "x:{caller}"}, "Key", "Rule.Caller"},
		{"wildcard called caller", "GET /{caller}", freshet.Rule{Key: "x:{caller}", Caller: user}, "Pattern", "another name"},
		{"header with a space", "GET /x", freshet.Rule{Key: "x", VaryHeaders: []string{"Accept Language"}}, "VaryHeaders", "not the name"},
		{"header list", "GET /x", freshet.Rule{Key: "x", VaryHeaders: []string{"Accept,Host"}}, "VaryHeaders", "not the name"},
		{"header empty", "GET /x", freshet.Rule{Key: "x", VaryHeaders: []string{""}}, "VaryHeaders", "not the name"},
		{"header star", "GET /x", freshet.Rule{Key: "x", VaryHeaders: []string{"*"}}, "VaryHeaders", "not the name"},
		{"cookie varies", "GET /x", freshet.Rule{Key: "x", VaryHeaders: []string{"cookie"}}, "VaryHeaders", "set Caller"},
		{"fence negative", "PUT /x", freshet.Rule{Key: "x", FenceFor: -1}, "FenceFor", "out of range"},
		{"fence too long", "PUT /x", freshet.Rule{Key: "x", FenceFor: freshet.MaxFence + 1}, "FenceFor", "out of range"},
		{"fence of a read", "GET /x", freshet.Rule{Key: "x", FenceFor: 1}, "FenceFor", "only reads"},
		{"NoIntent of a read", "GET /x", freshet.Rule{Key: "x", NoIntent: true}, "NoIntent", "only reads"},
		{"pattern without path", "GET", freshet.Rule{Key: "x"}, "Pattern", "has no path"},
		{"pattern of chi", "GET /posts/{id:[0-9]+}", freshet.Rule{Key: "x"}, "Pattern", "as http.ServeMux does"},
		{"pattern with a star", "GET /files/*", freshet.Rule{Key: "x"}, "Pattern", "as http.ServeMux does"},
		{"pattern with a part", "GET /files/x-{id}", freshet.Rule{Key: "x"}, "Pattern", "as http.ServeMux does"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name, tt.rule.Pattern = "mine", tt.pattern
			err := tt.rule.Validate()
			var problem *freshet.RuleError
			if !errors.As(err, &problem) || problem.Rule != "mine" || problem.Field != tt.field {
				t.Fatalf("%v: want a RuleError of %s", err, tt.field)
			}
			if !strings.HasPrefix(err.Error(), `freshet: rule "mine": `+tt.field+`: `) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v: want %q in it", err, tt.text)
			}
		})
	}
}

func TestReadInvalidates(t *testing.T) {
	for _, pattern := range []string{"GET /x", "HEAD /x"} {
		for field, rule := range map[string]freshet.Rule{
			"Invalidate":      {Invalidate: []string{"a"}},
			"InvalidateMatch": {InvalidateMatch: []string{"a*"}},
			"InvalidateTags":  {InvalidateTags: []string{"a"}},
		} {
			rule.Key, rule.Pattern = "x", pattern
			var problem *freshet.RuleError
			if err := rule.Validate(); !errors.Is(err, freshet.ErrReadInvalidates) || !errors.As(err, &problem) || problem.Field != field {
				t.Errorf("%s with %s: %v", pattern, field, err)
			}
		}
	}
}

func TestRulesThatAreFine(t *testing.T) {
	for name, rule := range map[string]freshet.Rule{
		"write without a key":     {Pattern: "POST /x", InvalidateTags: []string{"t"}},
		"any method with lists":   {Pattern: "/x/{id}", Key: "x:{}", Invalidate: []string{"list"}},
		"query named":             {Pattern: "GET /x", Key: "x:{q}", Query: []string{"q"}},
		"query with default":      {Pattern: "GET /x", Key: "x:{page=1}"},
		"own params":              {Pattern: "GET /x", Key: "x:{thing}", Params: lastSegment},
		"host and rest":           {Pattern: "GET example.com/x/{rest...}", Key: "x:{}"},
		"exact":                   {Pattern: "GET /{$}", Key: "home"},
		"wildcard called caller":  {Pattern: "GET /{caller}", Key: "x:{caller}"},
		"parameter called caller": {Pattern: "GET /x", Key: "x:{caller}", Query: []string{"caller"}},
	} {
		if err := rule.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	s := newSite(t)
	bad := freshet.Rule{Key: "p:{x}", TTL: -1, MaxBody: -1, Tags: []string{"{y}", "{z"}, Invalidate: []string{"a"}, VaryHeaders: []string{" "}}
	err := s.cache.Handle(s.mux, "GET /x", bad, http.HandlerFunc(uri))
	var fields []string
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		var problem *freshet.RuleError
		if !errors.As(one, &problem) || problem.Rule != "GET /x" {
			t.Fatalf("%v is no RuleError of the route", one)
		}
		fields = append(fields, problem.Field)
	}
	if got, want := strings.Join(fields, " "), "MaxBody TTL VaryHeaders Key Tags Tags Invalidate"; got != want {
		t.Errorf("fields %q, want %q", got, want)
	}
	if r := s.get("/x"); r.Status != http.StatusNotFound {
		t.Errorf("status %d: the route has been registered", r.Status)
	}
}

func TestRegistrationPanics(t *testing.T) {
	s := newSite(t)
	for name, register := range map[string]func(){
		"handler, bad rule":    func() { s.cache.Handler(freshet.Rule{}, http.HandlerFunc(uri)) },
		"handler, nil":         func() { s.cache.Handler(freshet.Rule{Key: "x"}, nil) },
		"middleware, bad rule": func() { s.cache.Middleware(freshet.Rule{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.HasPrefix(err.Error(), "freshet: rule ") {
					t.Errorf("panic %v", err)
				}
			}()
			register()
		})
	}
}

// A rule is copied: what becomes of its slices later changes nothing.
func TestRuleIsCopied(t *testing.T) {
	s := newSite(t)
	rule := freshet.Rule{Key: "x", IgnoreQuery: []string{"utm"}, VaryHeaders: []string{"accept"}}
	s.handle("GET /x", rule, uri)
	rule.IgnoreQuery[0] = "*"
	if rule.VaryHeaders[0] != "accept" {
		t.Errorf("the rule's own slice reads %q", rule.VaryHeaders)
	}
	s.want(s.get("/x?a=1"), stored)
	s.want(s.get("/x?a=2"), stored)
}

// Entries made under another configuration are not served.
func TestConfigurationChanges(t *testing.T) {
	base := freshet.Rule{Key: "x", Tags: []string{"a"}, VaryHeaders: []string{"Accept", "Host"}}
	again := freshet.Rule{Key: "x", Tags: []string{"a"}, VaryHeaders: []string{"host", "accept"}, MaxBody: 10_000, Name: "n"}
	s := newSite(t)
	register := func(rule freshet.Rule) {
		s.mux = http.NewServeMux()
		s.handle("GET /x", rule, uri)
		s.serve(s.mux)
	}
	register(base)
	s.want(s.get("/x", "Host", "h"), stored)
	register(again)
	s.want(s.get("/x", "Host", "h"), hit)
	for name, change := range map[string]func(*freshet.Rule){
		"tags": func(r *freshet.Rule) { r.Tags = []string{"b"} }, "ttl": func(r *freshet.Rule) { r.TTL = time.Minute },
		"vary": func(r *freshet.Rule) { r.VaryHeaders = nil }, "caller": func(r *freshet.Rule) { r.Caller = user },
		"query": func(r *freshet.Rule) { r.IgnoreQuery = []string{"a"} }, "shared": func(r *freshet.Rule) { r.Shared = true },
		"error ttl": func(r *freshet.Rule) { r.ErrorTTL = time.Minute }, "lifetime": func(r *freshet.Rule) { r.Lifetime = freshet.LifetimeRule },
	} {
		rule := base
		change(&rule)
		register(rule)
		if state := s.get("/x", "Host", "h").state(); state == hit {
			t.Errorf("a change of %s: %s", name, state)
		}
		register(base)
		s.get("/x", "Host", "h")
	}
}
