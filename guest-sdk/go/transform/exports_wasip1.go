package transform

import (
	"runtime"

	"millrace"
	"millrace/internal/abi"
	"millrace/internal/call"
)

var results abi.Results

//go:wasmexport millrace:plugin/transform@0.1.0#init
func exportInit(config, length uint32) uint32 {
	blocks := abi.Begin()
	defer call.End()
	err := initialize(abi.Text(config, length))
	runtime.KeepAlive(blocks)
	return results.Init(err)
}

//go:wasmexport millrace:plugin/transform@0.1.0#process
func exportProcess(topic, topicLength uint32, partition int32, messages, count uint32) uint32 {
	blocks := abi.Begin()
	defer call.End()
	batch := millrace.Batch{
		Source:   millrace.Source{Topic: abi.Text(topic, topicLength), Partition: partition},
		Messages: abi.Messages(messages, count),
	}
	runtime.KeepAlive(blocks) // From here on the batch does it.
	return results.Verdicts(process(&batch))
}
