package serializer

import (
	"runtime"

	"millrace"
	"millrace/internal/abi"
	"millrace/internal/call"
)

var results abi.Results

//go:wasmexport millrace:plugin/serializer@0.1.0#init
func exportInit(config, length uint32) uint32 {
	blocks := abi.Begin()
	defer call.End()
	err := initialize(abi.Text(config, length))
	runtime.KeepAlive(blocks)
	return results.Init(err)
}

//go:wasmexport millrace:plugin/serializer@0.1.0#serialize
func exportSerialize(topic, topicLength, field, payloads, count uint32) uint32 {
	blocks := abi.Begin()
	defer call.End()
	place := millrace.Place{Topic: abi.Text(topic, topicLength), Field: millrace.Field(field)}
	from := abi.Payloads(payloads, count)
	runtime.KeepAlive(blocks) // From here on the place and the payloads do it.
	return results.Payloads(serialize(from, place))
}
