package abi

import (
	"unsafe"

	"millrace"
)

// empty is what an empty list becomes: not nil, which is Kafka's null.
var empty = []byte{}

// slice is a list's elements where they lie. What is appended to it goes elsewhere.
func slice[T any](l list) []T {
	if l.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(pointer(l.address)), l.length)
}

func (l list) bytes() []byte {
	if l.length == 0 {
		return empty
	}
	return unsafe.Slice((*byte)(pointer(l.address)), l.length)
}

func (l list) text() string {
	if l.length == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(l.address)), l.length)
}

func (o *optionList) bytes() []byte {
	if o.kind == none {
		return nil
	}
	return o.list.bytes()
}

// Text is a string among a function's parameters.
func Text(address, length uint32) string {
	return list{address: address, length: length}.text()
}

// Payloads is a list<list<u8>> among a function's parameters.
func Payloads(address, length uint32) [][]byte {
	lists := slice[list](list{address: address, length: length})
	payloads := make([][]byte, len(lists))
	for i, l := range lists {
		payloads[i] = l.bytes()
	}
	return payloads
}

// Messages is a list<message> among a function's parameters.
func Messages(address, length uint32) []millrace.Message {
	from := slice[message](list{address: address, length: length})
	messages := make([]millrace.Message, len(from))
	count := 0
	for i := range from {
		count += int(from[i].headers.length)
	}
	headers := make([]millrace.Header, 0, count)
	for i := range from {
		m := &from[i]
		start := len(headers)
		for _, h := range slice[header](m.headers) {
			headers = append(headers, millrace.Header{Name: h.name.text(), Value: h.value.bytes()})
		}
		to := &messages[i]
		to.Key = m.key.bytes()
		to.Value = m.value.bytes()
		to.Headers = headers[start:len(headers):len(headers)]
		to.Offset = m.offset
		to.Timestamp.Kind = millrace.TimestampKind(m.timestamp.kind)
		if m.timestamp.kind != 0 {
			to.Timestamp.Millis = m.timestamp.millis
		}
	}
	return messages
}
