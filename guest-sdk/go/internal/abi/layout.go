// Package abi is the contract as the canonical ABI lays it out in a plugin's memory: what
// the host wrote there to Go's types, and back. The plugin's exported functions use it,
// and nobody else.
//
// An address is 32 bits. A list or a string is an address and a length. An option or a
// variant is a byte that says which case it is, and behind it, aligned, what the case
// holds. Go's structs of these types have the same layout, which the tests check.
//
// Nothing is copied but the structure: bytes and strings are read where the host wrote
// them, in blocks of Go's memory, and the host reads results where Go has them. Go's
// collector does not move memory, and Results keeps alive what is only known by address.
package abi

import "structs"

// list is a list or a string: list<u8>, for instance.
type list struct {
	_       structs.HostLayout
	address uint32
	length  uint32
}

// optionList is option<list<u8>> or option<string>, and the variants whose cases hold
// nothing or a list: payload, output-headers, result<list<u8>, string>.
type optionList struct {
	_    structs.HostLayout
	kind uint8
	list list
}

// header is the record header.
type header struct {
	_     structs.HostLayout
	name  list
	value optionList
}

// timestamp is the variant timestamp, and option<s64>.
type timestamp struct {
	_      structs.HostLayout
	kind   uint8
	millis int64
}

// message is the record message.
type message struct {
	_         structs.HostLayout
	key       optionList
	value     optionList
	headers   list
	offset    int64
	timestamp timestamp
}

// optionInt32 is option<s32>.
type optionInt32 struct {
	_     structs.HostLayout
	kind  uint8
	value int32
}

// output is the record output.
type output struct {
	_         structs.HostLayout
	topic     optionList
	partition optionInt32
	timestamp timestamp
	key       optionList
	value     optionList
	headers   optionList
}

// verdict is the variant verdict. The cases expand and fail hold a list, which lies where
// the output would begin.
type verdict struct {
	_      structs.HostLayout
	kind   uint8
	output output
}

// The cases of the variants, by their order in the contract.
const (
	none = 0
	some = 1

	payloadSource = 0
	payloadNull   = 1
	payloadBytes  = 2

	headersSource = 0
	headersAppend = 1
	headersOnly   = 2

	verdictForward = 0
	verdictDrop    = 1
	verdictReplace = 2
	verdictExpand  = 3
	verdictFail    = 4

	resultOk    = 0
	resultError = 1
)
