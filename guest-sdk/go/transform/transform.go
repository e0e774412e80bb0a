// Package transform makes a program a transform: records in, records out.
package transform

import (
	"errors"

	"millrace"
	"millrace/internal/run"
)

// Register makes the program's transform the one that newPlugin makes, of the pipeline's
// plugin.config ("" where there is none). It is called by an init of package main. An
// error of newPlugin refuses the plugin, and its text is shown to the user.
func Register[T millrace.Transformer](newPlugin func(config string) (T, error)) {
	construct = func(config string) (millrace.Transformer, error) { return newPlugin(config) }
}

var (
	construct func(config string) (millrace.Transformer, error)
	plugin    millrace.Transformer
)

func initialize(config string) error {
	return run.Init(func() (err error) {
		if construct == nil {
			return errors.New("the program imports millrace/transform, and registers none")
		}
		plugin, err = construct(config)
		return err
	})
}

func process(batch *millrace.Batch) []millrace.Verdict {
	if hook, is := plugin.(millrace.BatchTransformer); is {
		return processBatch(hook, batch)
	}
	verdicts := make([]millrace.Verdict, len(batch.Messages))
	judge := func(i int) {
		verdict, err := plugin.Transform(&batch.Messages[i], batch.Source)
		if err != nil {
			verdict = millrace.Fail(err.Error())
		}
		verdicts[i] = verdict
	}
	run.Each(len(verdicts), judge, func(i int, text string) { verdicts[i] = millrace.Fail(text) })
	return verdicts
}

func processBatch(hook millrace.BatchTransformer, batch *millrace.Batch) (verdicts []millrace.Verdict) {
	panicked := false
	run.Each(1, func(int) { verdicts = hook.TransformBatch(batch) }, func(_ int, text string) {
		panicked = true
		verdicts = []millrace.Verdict{millrace.Fail(text)}
	})
	if !panicked || len(batch.Messages) == 1 {
		return verdicts
	}
	verdicts = verdicts[:0]
	for i := range batch.Messages {
		alone := &millrace.Batch{Source: batch.Source, Messages: batch.Messages[i : i+1 : i+1]}
		verdicts = append(verdicts, processBatch(hook, alone)...)
	}
	return verdicts
}
