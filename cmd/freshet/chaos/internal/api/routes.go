package api

// Routes is the file of a gateway in front of [Plain], at the address that %s stands
// for: the rules of [New], in the gateway's words. What handlers behind a cache of
// their own tell it while they run is here in the rule, where the path says it, or
// in the answer's Cache-Groups. The tags are those of the answers' groups, since there
// is one origin.
const Routes = `
upstreams:
  api: {servers: ["http://%[1]s"]}
origins: ["http://%[2]s"]
routes:
  - {pattern: "GET /items/{id}", key: "item:{id:int}", ttl: 1h, error_ttl: 1h}
  - {pattern: "GET /items/{id}/card", key: "card:{id:int}", ttl: 100ms, stale_while_revalidate: 1h, stale_if_error: 1h, soft_timeout: 100ms}
  - {pattern: "GET /orgs/{org}/items", key: "list:{org:int}:p{page:int=1}", ttl: 1s, early_refresh: true, refresh_ahead: 100ms, stale_if_error: 1h, soft_timeout: 100ms}
  - {pattern: "GET /orgs/{org}/stats", key: "stats:{org:int}", ttl: 1h, tags: ["org:{org:int}"]}
  - {pattern: "GET /orgs/{org}/report", key: "report:{org:int}", ttl: 1h, tags: ["org:{org:int}"]}
  - {pattern: "GET /orgs/{org}/top", key: "top:{org:int}", ttl: 1h}
  - {pattern: "GET /pairs/{a}/{b}", key: "pair:{a}_{b}", ttl: 1h}
  - {pattern: "GET /mine", key: "mine:{caller}", ttl: 1h, caller: {header: X-Caller}}
  - pattern: "PUT /orgs/{org}/items/{id}"
    key: "item:{id:int}"
    invalidate: ["card:{id:int}"]
    invalidate_match: ["list:{org:int}:*"]
    invalidate_tags: ["org:{org:int}", "row:{id:int}"]
    no_intent: %[3]t
  - pattern: "DELETE /orgs/{org}/items/{id}"
    key: "item:{id:int}"
    invalidate: ["card:{id:int}"]
    invalidate_match: ["list:{org:int}:*"]
    invalidate_tags: ["org:{org:int}", "row:{id:int}"]
    no_intent: %[3]t
  - pattern: "POST /orgs/{org}/items/{id}/touch"
    key: "item:{id:int}"
    invalidate: ["card:{id:int}"]
    invalidate_match: ["list:{org:int}:*"]
    invalidate_tags: ["org:{org:int}", "row:{id:int}"]
    no_intent: %[3]t
  - pattern: "POST /orgs/{org}/items/{id}/job"
    key: "item:{id:int}"
    invalidate: ["card:{id:int}"]
    invalidate_match: ["list:{org:int}:*"]
    invalidate_tags: ["org:{org:int}", "row:{id:int}"]
    no_intent: %[3]t
  - {pattern: "POST /orgs/{org}/reset", key: "reset:{org:int}", invalidate_match: ["*"], no_intent: %[3]t}
default: {cache: off}
`
