// Package millrace is for writing Millrace plugins in Go. A plugin is a program whose
// init registers a constructor with one of the packages transform, deserializer and
// serializer (or with several), and whose main is empty:
//
//	package main
//
//	import (
//		"bytes"
//
//		"millrace"
//		"millrace/transform"
//	)
//
//	// shout upper-cases every value, and drops records without one.
//	type shout struct{}
//
//	func newShout(config string) (*shout, error) {
//		return &shout{}, nil
//	}
//
//	func (*shout) Transform(m *millrace.Message, from millrace.Source) (millrace.Verdict, error) {
//		if m.Value == nil {
//			return millrace.Drop, nil
//		}
//		return millrace.Value(bytes.ToUpper(m.Value)), nil
//	}
//
//	func init() { transform.Register(newShout) }
//
//	func main() {}
//
// Natively, registering does nothing but remember, so that go test tests the same code
// without a host.
//
// In all of this package a nil []byte is Kafka's null, and one that is empty but not nil
// is an empty key or value.
package millrace

// Source is where a message comes from.
type Source struct {
	Topic string
	// Partition counts from 0.
	Partition int32
}

// Transformer is the logic of a transform. The host makes one a worker, and a new one
// after a trap or a swap, so what it remembers between records is a cache, not a store.
type Transformer interface {
	// Transform judges one message. An error is the verdict [Fail] with its text: this
	// record alone goes to the error policy. So does a panic, with the functions that it
	// was in.
	//
	// The message and its bytes may be kept and changed. The bytes of a call's messages
	// are parts of few large pieces of memory: what is kept for long is better kept as
	// a copy ([bytes.Clone]).
	Transform(message *Message, from Source) (Verdict, error)
}

// BatchTransformer is for a [Transformer] to which many messages at once are cheaper.
type BatchTransformer interface {
	Transformer
	// TransformBatch judges a batch, in place of Transform: exactly one verdict a
	// message, in order. After a panic it is called again for each message alone, so it
	// must not change their bytes in place.
	TransformBatch(batch *Batch) []Verdict
}

// Field is the part of a record that a payload is.
type Field uint8

const (
	// KeyField is the record's key.
	KeyField Field = iota
	// ValueField is the record's value.
	ValueField
)

// String is "key" or "value", as in the contract.
func (f Field) String() string {
	if f == KeyField {
		return "key"
	}
	return "value"
}

// Place says which payload it is.
type Place struct {
	// Topic is the one that it was read from or, when serializing, the one that it
	// goes to.
	Topic string
	Field Field
}

// Deserializer is from a format's bytes to what the transform reads, mostly JSON: the
// plugin of decode.key and decode.value.
type Deserializer interface {
	// Deserialize decodes one payload, which may be empty but is never Kafka's null. An
	// error or a panic rejects this record alone.
	Deserialize(payload []byte, place Place) ([]byte, error)
}

// BatchDeserializer is for a [Deserializer] to which many payloads at once are cheaper.
type BatchDeserializer interface {
	Deserializer
	// DeserializeBatch decodes payloads of one place, in place of Deserialize: exactly
	// one result each, in order. After a panic it is called again for each alone.
	DeserializeBatch(payloads [][]byte, place Place) []Result
}

// Serializer is from what the transform wrote to a format's bytes: the plugin of
// encode.key and encode.value. As [Deserializer], the other way; both may be of one
// program, and of one type.
type Serializer interface {
	// Serialize encodes one payload, which may be empty but is never Kafka's null. An
	// error or a panic rejects the record that it came from.
	Serialize(payload []byte, place Place) ([]byte, error)
}

// BatchSerializer is for a [Serializer] to which many payloads at once are cheaper.
type BatchSerializer interface {
	Serializer
	// SerializeBatch encodes payloads for one place, in place of Serialize: exactly one
	// result each, in order. After a panic it is called again for each alone.
	SerializeBatch(payloads [][]byte, place Place) []Result
}

// Result is what became of one payload: Err, or if that is nil, the bytes (nil is empty
// here: a codec makes no null).
type Result struct {
	Bytes []byte
	Err   error
}
