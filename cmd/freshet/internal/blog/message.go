package blog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/freshet-dev/freshet/cmd/freshet/internal/blog/blogdb"
)

// maxRequest is the largest request body, in bytes.
const maxRequest = 256 << 10

// badInput is a request that cannot be understood: 400. Its text never repeats
// the client's, which may be of any length.
type badInput string

func (e badInput) Error() string { return string(e) }

// fail answers err as {"error": "..."}.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad badInput
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &bad):
		reply(w, http.StatusBadRequest, failure{bad.Error()})
	case errors.As(err, &large):
		reply(w, http.StatusRequestEntityTooLarge, failure{fmt.Sprintf("the body is larger than %d bytes", large.Limit)})
	case errors.Is(err, blogdb.ErrNotFound):
		reply(w, http.StatusNotFound, failure{err.Error()})
	default:
		// A client that has gone away is no failure of the API, but a write may
		// have been committed when it went: only 5xx keeps the invalidations.
		if r.Context().Err() == nil {
			a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		reply(w, http.StatusInternalServerError, failure{"internal error"})
	}
}

type failure struct {
	Error string `json:"error"`
}

// reply answers with value as JSON.
func reply(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		// Only a type that JSON has no form for fails: a mistake in this
		// package that any test of the route finds.
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone away is no error of ours.
	_, _ = body.WriteTo(w)
}

// decode reads the one JSON object that is the request's body. Fields that
// value does not have are ignored: they are read-only, or unknown.
func decode(w http.ResponseWriter, r *http.Request, value any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	err := decoder.Decode(value)
	if err == nil {
		err = decoder.Decode(new(json.RawMessage))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			return badInput("the body holds more than one JSON value")
		}
	}
	var large *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &large):
		return err
	case errors.As(err, &kind) && kind.Field != "":
		return badInput("field " + kind.Field + " must be a string")
	case errors.As(err, &kind):
		return badInput("the body must be a JSON object")
	default:
		return badInput("the body is not complete and valid JSON")
	}
}

// checkText checks one field of a body. nil, an absent field, is fine.
func checkText(name string, value *string, least, most int) error {
	switch {
	case value == nil:
		return nil
	case len(*value) < least:
		return badInput(name + " must not be empty")
	case len(*value) > most:
		return badInput(fmt.Sprintf("%s is longer than %d bytes", name, most))
	case strings.ContainsRune(*value, 0):
		return badInput(name + " must not contain NUL") // where SQLite would end it
	}
	return nil
}

// pathID returns the whole number that is the path's wildcard name.
func pathID(r *http.Request, name string) (int64, error) {
	return wholeNumber(name, r.PathValue(name))
}

// wholeNumber reads what an :int placeholder of a template accepts, so that
// what bypasses the cache is what is refused here.
func wholeNumber(name, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' {
		return 0, badInput(name + " must be a whole number")
	}
	return n, nil
}

// pageNumber returns the query parameter name, a number from 1 to most.
func pageNumber(r *http.Request, name string, absent, most int) (int, error) {
	query := r.URL.Query()
	if !query.Has(name) {
		return absent, nil
	}
	n, err := wholeNumber(name, query.Get(name))
	if err != nil {
		return 0, err
	}
	if n < 1 || n > int64(most) {
		return 0, badInput(fmt.Sprintf("%s must be from 1 to %d", name, most))
	}
	return int(n), nil
}

// searchText returns the query parameter q.
func searchText(r *http.Request) (string, error) {
	text := r.URL.Query().Get("q")
	switch {
	case text == "":
		return "", badInput("q is missing: the text to search for")
	case len(text) > maxSearchedBytes:
		return "", badInput(fmt.Sprintf("q is longer than %d bytes", maxSearchedBytes))
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return "", badInput("q must be UTF-8 without NUL")
	}
	return text, nil
}
