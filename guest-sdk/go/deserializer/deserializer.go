// Package deserializer makes a program a deserializer: a format's bytes to what the transform reads.
package deserializer

import (
	"errors"

	"millrace"
	"millrace/internal/run"
)

// Register makes the program's deserializer the one that newPlugin makes, of the pipeline's
// decode.key_config or decode.value_config ("" where there is none). It is called by an init
// of package main. An error of newPlugin refuses the plugin, and its text is shown to the
// user.
func Register[T millrace.Deserializer](newPlugin func(config string) (T, error)) {
	construct = func(config string) (millrace.Deserializer, error) { return newPlugin(config) }
}

var (
	construct func(config string) (millrace.Deserializer, error)
	plugin    millrace.Deserializer
)

func initialize(config string) error {
	return run.Init(func() (err error) {
		if construct == nil {
			return errors.New("the program imports millrace/deserializer, and registers none")
		}
		plugin, err = construct(config)
		return err
	})
}

func deserialize(payloads [][]byte, place millrace.Place) []millrace.Result {
	if hook, is := plugin.(millrace.BatchDeserializer); is {
		return deserializeBatch(hook, payloads, place)
	}
	results := make([]millrace.Result, len(payloads))
	convert := func(i int) {
		bytes, err := plugin.Deserialize(payloads[i], place)
		results[i] = millrace.Result{Bytes: bytes, Err: run.Plain(err)}
	}
	run.Each(len(results), convert, func(i int, text string) {
		results[i] = millrace.Result{Err: errors.New(text)}
	})
	return results
}

func deserializeBatch(hook millrace.BatchDeserializer, payloads [][]byte, place millrace.Place) (results []millrace.Result) {
	panicked := false
	run.Each(1, func(int) { results = hook.DeserializeBatch(payloads, place) }, func(_ int, text string) {
		panicked = true
		results = []millrace.Result{{Err: errors.New(text)}}
	})
	if !panicked || len(payloads) == 1 {
		return results
	}
	results = results[:0]
	for i := range payloads {
		results = append(results, deserializeBatch(hook, payloads[i:i+1:i+1], place)...)
	}
	return results
}
