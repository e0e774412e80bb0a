package main

import (
	"conformance/behaviour"
	"millrace/deserializer"
)

func newCodec(config string) (behaviour.Codec, error) {
	return behaviour.Codec{}, behaviour.Init(config)
}

func init() { deserializer.Register(newCodec) }

func main() {}
