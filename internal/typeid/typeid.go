// Package typeid names Go types so that different types have different names.
package typeid

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Names remembers the names of types, which take a while to spell out. The zero
// value is ready for use, concurrently too.
type Names struct{ known sync.Map }

// Of is the function [Of].
func (n *Names) Of(t reflect.Type) string {
	name, ok := n.known.Load(t)
	if !ok {
		name, _ = n.known.LoadOrStore(t, Of(t))
	}
	return name.(string)
}

// Of returns a name of t that tells it from every type that encoding/json would
// write in another form: the import paths and names of the types it is made of,
// with the names, types and tags of all fields. reflect's own String leaves out
// what stands before the last element of an import path, and the fields.
func Of(t reflect.Type) string {
	var b strings.Builder
	write(&b, t, map[reflect.Type]bool{})
	return b.String()
}

// write appends the name of t. What seen holds has been spelt out before: that is
// where recursive types end.
func write(b *strings.Builder, t reflect.Type, seen map[reflect.Type]bool) {
	fmt.Fprintf(b, "%s.%s ", t.PkgPath(), t.Name())
	if seen[t] {
		return
	}
	seen[t] = true
	fmt.Fprintf(b, "%s(", t.Kind())
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(b, "%s %t %q ", f.Name, f.Anonymous, f.Tag)
			write(b, f.Type, seen)
		}
	case reflect.Map:
		write(b, t.Key(), seen)
		write(b, t.Elem(), seen)
	case reflect.Array:
		fmt.Fprintf(b, "%d ", t.Len())
		write(b, t.Elem(), seen)
	case reflect.Pointer, reflect.Slice:
		write(b, t.Elem(), seen)
	}
	b.WriteByte(')')
}
