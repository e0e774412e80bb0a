package main

import (
	"conformance/behaviour"
	"millrace/serializer"
)

func newCodec(config string) (behaviour.Codec, error) {
	return behaviour.Codec{Before: "[", After: "]"}, behaviour.Init(config)
}

func init() { serializer.Register(newCodec) }

func main() {}
