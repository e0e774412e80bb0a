// Package serializer makes a program a serializer: what the transform wrote to a format's bytes.
package serializer

import (
	"errors"

	"millrace"
	"millrace/internal/run"
)

// Register makes the program's serializer the one that newPlugin makes, of the pipeline's
// encode.key_config or encode.value_config ("" where there is none). It is called by an init
// of package main. An error of newPlugin refuses the plugin, and its text is shown to the
// user.
func Register[T millrace.Serializer](newPlugin func(config string) (T, error)) {
	construct = func(config string) (millrace.Serializer, error) { return newPlugin(config) }
}

var (
	construct func(config string) (millrace.Serializer, error)
	plugin    millrace.Serializer
)

func initialize(config string) error {
	return run.Init(func() (err error) {
		if construct == nil {
			return errors.New("the program imports millrace/serializer, and registers none")
		}
		plugin, err = construct(config)
		return err
	})
}

func serialize(payloads [][]byte, place millrace.Place) []millrace.Result {
	if hook, is := plugin.(millrace.BatchSerializer); is {
		return serializeBatch(hook, payloads, place)
	}
	results := make([]millrace.Result, len(payloads))
	convert := func(i int) {
		bytes, err := plugin.Serialize(payloads[i], place)
		results[i] = millrace.Result{Bytes: bytes, Err: run.Plain(err)}
	}
	run.Each(len(results), convert, func(i int, text string) {
		results[i] = millrace.Result{Err: errors.New(text)}
	})
	return results
}

func serializeBatch(hook millrace.BatchSerializer, payloads [][]byte, place millrace.Place) (results []millrace.Result) {
	panicked := false
	run.Each(1, func(int) { results = hook.SerializeBatch(payloads, place) }, func(_ int, text string) {
		panicked = true
		results = []millrace.Result{{Err: errors.New(text)}}
	})
	if !panicked || len(payloads) == 1 {
		return results
	}
	results = results[:0]
	for i := range payloads {
		results = append(results, serializeBatch(hook, payloads[i:i+1:i+1], place)...)
	}
	return results
}
