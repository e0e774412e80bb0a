package serializer

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"millrace"
)

// reversed turns its payloads around, and has something against empty ones and those with x.
type reversed struct{}

func (reversed) Serialize(payload []byte, place millrace.Place) ([]byte, error) {
	if payload[0] == 'x' {
		return nil, errors.New("x in a " + place.Field.String() + " of " + place.Topic)
	}
	text := []byte{}
	for _, b := range payload {
		text = append([]byte{b}, text...)
	}
	return text, nil
}

// inBatches is the same, all at once.
type inBatches struct{ reversed }

func (b inBatches) SerializeBatch(payloads [][]byte, place millrace.Place) []millrace.Result {
	var results []millrace.Result
	for _, payload := range payloads {
		bytes, err := b.Serialize(payload, place)
		results = append(results, millrace.Result{Bytes: bytes, Err: err})
	}
	return results
}

func check(t *testing.T) {
	t.Helper()
	if err := initialize(""); err != nil {
		t.Fatal(err)
	}
	place := millrace.Place{Topic: "t", Field: millrace.KeyField}
	var got []string
	for _, result := range serialize([][]byte{[]byte("ab"), []byte("x"), {}, []byte("cd")}, place) {
		if result.Err != nil {
			line, _, _ := strings.Cut(result.Err.Error(), "\n")
			got = append(got, line)
		} else {
			got = append(got, string(result.Bytes))
		}
	}
	want := []string{"ba", "x in a key of t", "panic: runtime error: index out of range [0] with length 0", "dc"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABadPayloadFailsAlone(t *testing.T) {
	Register(func(string) (reversed, error) { return reversed{}, nil })
	check(t)
}

func TestAPanicOfAllAtOnceFailsItsPayloadAlone(t *testing.T) {
	Register(func(string) (inBatches, error) { return inBatches{}, nil })
	check(t)
}

func TestAnErrorOfTheConstructorRefusesThePlugin(t *testing.T) {
	Register(func(string) (reversed, error) { return reversed{}, errors.New("why") })
	if err := initialize(""); err == nil || err.Error() != "why" {
		t.Errorf("got %v", err)
	}
}
