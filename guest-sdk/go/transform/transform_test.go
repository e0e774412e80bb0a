package transform

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"millrace"
)

// atLeast fails what is no digit, and drops what is below its limit.
type atLeast struct{ limit byte }

func newAtLeast(config string) (*atLeast, error) {
	if len(config) != 1 {
		return nil, errors.New("the limit is one digit")
	}
	return &atLeast{config[0]}, nil
}

func (a *atLeast) Transform(m *millrace.Message, from millrace.Source) (millrace.Verdict, error) {
	if from != (millrace.Source{Topic: "numbers", Partition: 3}) {
		return nil, errors.New("it is of another topic")
	}
	switch digit := m.Value[0]; {
	case digit < '0' || digit > '9':
		return nil, errors.New("no digit")
	case digit < a.limit:
		return millrace.Drop, nil
	default:
		return millrace.Forward, nil
	}
}

// inBatches is the same, a batch at once.
type inBatches struct{ *atLeast }

func (b inBatches) TransformBatch(batch *millrace.Batch) []millrace.Verdict {
	var verdicts []millrace.Verdict
	for i := range batch.Messages {
		verdict, err := b.Transform(&batch.Messages[i], batch.Source)
		if err != nil {
			verdict = millrace.Fail(err.Error())
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts
}

func firstLines(verdicts []millrace.Verdict) []millrace.Verdict {
	for i, verdict := range verdicts {
		if fail, is := verdict.(millrace.Fail); is {
			line, _, _ := strings.Cut(string(fail), "\n")
			verdicts[i] = millrace.Fail(line)
		}
	}
	return verdicts
}

func batch() *millrace.Batch {
	return &millrace.Batch{
		Source:   millrace.Source{Topic: "numbers", Partition: 3},
		Messages: []millrace.Message{{Value: []byte("7")}, {Value: []byte("x")}, {Value: nil}, {Value: []byte("2")}},
	}
}

var want = []millrace.Verdict{
	millrace.Forward,
	millrace.Fail("no digit"),
	millrace.Fail("panic: runtime error: index out of range [0] with length 0"),
	millrace.Drop,
}

func TestEveryMessageGetsItsVerdictInOrderAndABadOneFailsAlone(t *testing.T) {
	Register(newAtLeast)
	if err := initialize("5"); err != nil {
		t.Fatal(err)
	}
	if got := firstLines(process(batch())); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAPanicOfAWholeBatchFailsItsMessageAlone(t *testing.T) {
	Register(func(config string) (inBatches, error) {
		inner, err := newAtLeast(config)
		return inBatches{inner}, err
	})
	if err := initialize("5"); err != nil {
		t.Fatal(err)
	}
	if got := firstLines(process(batch())); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAnErrorOfTheConstructorRefusesThePlugin(t *testing.T) {
	Register(newAtLeast)
	if err := initialize("ten"); err == nil || err.Error() != "the limit is one digit" {
		t.Errorf("got %v", err)
	}
	construct = nil
	if err := initialize("5"); err == nil || !strings.Contains(err.Error(), "registers none") {
		t.Errorf("got %v", err)
	}
}
