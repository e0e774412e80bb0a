package abi

import (
	"testing"
	"unsafe"
)

// Sizes and offsets by the canonical ABI: a record's field is aligned to its own size, a
// variant's cases lie behind its one byte at the largest alignment among them.
func TestGoLaysOutTheContractAsTheCanonicalABIDoes(t *testing.T) {
	for name, pair := range map[string][2]uintptr{
		"list":                 {unsafe.Sizeof(list{}), 8},
		"option<list>":         {unsafe.Sizeof(optionList{}), 12},
		"option<list>.some":    {unsafe.Offsetof(optionList{}.list), 4},
		"header":               {unsafe.Sizeof(header{}), 20},
		"header.value":         {unsafe.Offsetof(header{}.value), 8},
		"timestamp":            {unsafe.Sizeof(timestamp{}), 16},
		"timestamp.millis":     {unsafe.Offsetof(timestamp{}.millis), 8},
		"message":              {unsafe.Sizeof(message{}), 56},
		"message.value":        {unsafe.Offsetof(message{}.value), 12},
		"message.headers":      {unsafe.Offsetof(message{}.headers), 24},
		"message.offset":       {unsafe.Offsetof(message{}.offset), 32},
		"message.timestamp":    {unsafe.Offsetof(message{}.timestamp), 40},
		"option<s32>.some":     {unsafe.Offsetof(optionInt32{}.value), 4},
		"output":               {unsafe.Sizeof(output{}), 80},
		"output.partition":     {unsafe.Offsetof(output{}.partition), 12},
		"output.timestamp":     {unsafe.Offsetof(output{}.timestamp), 24},
		"output.key":           {unsafe.Offsetof(output{}.key), 40},
		"output.value":         {unsafe.Offsetof(output{}.value), 52},
		"output.headers":       {unsafe.Offsetof(output{}.headers), 64},
		"verdict":              {unsafe.Sizeof(verdict{}), 88},
		"verdict.replace.data": {unsafe.Offsetof(verdict{}.output), 8},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d in Go, %d in the canonical ABI", name, pair[0], pair[1])
		}
	}
}
