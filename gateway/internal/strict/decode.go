package strict

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var durationType = reflect.TypeFor[time.Duration]()

// value reads n into v, the field at path.
func (f *File) value(n *yaml.Node, v reflect.Value, path string) {
	f.places[path] = place{n.Line, n.Column}
	if f.nodes++; f.nodes > MaxNodes {
		if f.nodes == MaxNodes+1 {
			f.at(n, path, fmt.Errorf("the file has more than %d values, with what its aliases stand for", MaxNodes))
			f.unread = true
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias // never an alias itself
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		f.text(n, text, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.fields(n, v, path)
	case reflect.Map:
		f.mapping(n, v, path)
	case reflect.Slice:
		f.list(n, v, path)
	default:
		if f.is(n, yaml.ScalarNode, path, "one value") {
			f.scalar(n, v, path)
		}
	}
}

// is reports whether n is of the kind that is wanted, and if not, tells what to write.
func (f *File) is(n *yaml.Node, kind yaml.Kind, path, wanted string) bool {
	if n.Kind == kind && n.ShortTag() != "!!null" {
		return true
	}
	f.at(n, path, fmt.Errorf("it needs %s; leave the field out for its default", wanted))
	return false
}

func (f *File) text(n *yaml.Node, into encoding.TextUnmarshaler, path string) {
	if !f.is(n, yaml.ScalarNode, path, "one value") {
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		f.at(n, path, err)
	}
}

// fields reads a mapping into a struct.
func (f *File) fields(n *yaml.Node, v reflect.Value, path string) {
	known := make(map[string]reflect.Value)
	names := fieldsOf(v, known, nil)
	f.pairs(n, path, func(name string, key, value *yaml.Node) {
		if field, ok := known[name]; ok {
			f.value(value, field, join(path, name))
		} else {
			f.at(key, join(path, name), unknown(name, names))
		}
	})
}

// fieldsOf adds to known the fields of the struct v, by their names, which it
// appends to names in their order.
func fieldsOf(v reflect.Value, known map[string]reflect.Value, names []string) []string {
	for i := range v.NumField() {
		tag, tagged := v.Type().Field(i).Tag.Lookup("yaml")
		switch {
		case tag == ",inline":
			names = fieldsOf(v.Field(i), known, names)
		case tagged:
			known[tag] = v.Field(i)
			names = append(names, tag)
		}
	}
	return names
}

func unknown(name string, names []string) error {
	if best := nearest(name, names); best != "" {
		return fmt.Errorf("unknown field: did you mean %s?", best)
	}
	return fmt.Errorf("unknown field: there are %s", strings.Join(names, ", "))
}

func (f *File) mapping(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	f.pairs(n, path, func(name string, _, value *yaml.Node) {
		element := reflect.New(v.Type().Elem()).Elem()
		f.value(value, element, join(path, name))
		v.SetMapIndex(reflect.ValueOf(name), element)
	})
}

// pairs calls yield for each field of the mapping n.
func (f *File) pairs(n *yaml.Node, path string, yield func(name string, key, value *yaml.Node)) {
	if !f.is(n, yaml.MappingNode, path, "fields, each \"name: value\" on a line of its own") {
		return
	}
	seen := make(map[string]int)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		switch line, again := seen[name]; {
		case key.Kind != yaml.ScalarNode:
			f.at(key, path, errors.New("the name of a field is a plain word"))
		case key.ShortTag() == "!!merge":
			f.at(key, path, errors.New("merge keys (<<) are not supported: write the fields out"))
		case again:
			f.at(key, join(path, name), fmt.Errorf("it is given twice, first in line %d", line))
		default:
			seen[name] = key.Line
			yield(name, key, value)
		}
	}
}

func (f *File) list(n *yaml.Node, v reflect.Value, path string) {
	if !f.is(n, yaml.SequenceNode, path, "a list, as in [a, b]") {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		f.value(element, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

// scalar reads a value that is neither text of its own kind nor made of others.
func (f *File) scalar(n *yaml.Node, v reflect.Value, path string) {
	var err error
	switch {
	case v.Type() == durationType:
		var d time.Duration
		if d, err = time.ParseDuration(n.Value); err != nil {
			err = fmt.Errorf("%q is not a duration: write a number and its unit, such as 300ms, 5s, 10m or 1h", n.Value)
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		v.SetBool(n.Value == "true")
		if n.Value != "true" && n.Value != "false" {
			err = fmt.Errorf("%q is neither true nor false", n.Value)
		}
	case v.Kind() == reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(n.Value, 64); err != nil {
			err = fmt.Errorf("%q is not a number", n.Value)
		}
		v.SetFloat(x)
	default:
		var x int64
		if x, err = strconv.ParseInt(n.Value, 10, 64); err != nil {
			err = fmt.Errorf("%q is not a whole number", n.Value)
		}
		v.SetInt(x)
	}
	if err != nil {
		f.at(n, path, err)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
