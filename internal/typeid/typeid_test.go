package typeid

import (
	"reflect"
	"testing"
)

type tree struct {
	Name     string
	Children []*tree
}

func local1() reflect.Type {
	type result struct{ ID int }
	return reflect.TypeFor[result]()
}

func local2() reflect.Type {
	type result struct{ Name string }
	return reflect.TypeFor[result]()
}

func TestOf(t *testing.T) {
	types := map[string]reflect.Type{
		"int": reflect.TypeFor[int](), "int64": reflect.TypeFor[int64](), "string": reflect.TypeFor[string](),
		"pointer": reflect.TypeFor[*int](), "slice": reflect.TypeFor[[]int](), "slice of slices": reflect.TypeFor[[][]int](),
		"array of 2": reflect.TypeFor[[2]int](), "array of 3": reflect.TypeFor[[3]int](),
		"map": reflect.TypeFor[map[string]int](), "map by int": reflect.TypeFor[map[int]int](), "map to string": reflect.TypeFor[map[string]string](),
		"struct": reflect.TypeFor[struct{ A int }](), "another field": reflect.TypeFor[struct{ B int }](),
		"another type of field": reflect.TypeFor[struct{ A string }](), "a tag": reflect.TypeFor[struct {
			A int `json:"a"`
		}](),
		"local": local1(), "local of the same name": local2(), "recursive": reflect.TypeFor[tree](), "any": reflect.TypeFor[any](),
	}
	names := map[string]string{}
	var memory Names
	for name, typ := range types {
		id := Of(typ)
		if other, taken := names[id]; taken {
			t.Errorf("%s and %s are both %q", name, other, id)
		}
		names[id] = name
		if first, again := memory.Of(typ), memory.Of(typ); first != id || again != id {
			t.Errorf("%s is %q, then %q and %q", name, id, first, again)
		}
	}
}
