package millrace

import (
	"errors"
	"time"
	"unicode/utf8"
)

// Message is one record as it was consumed, or as the plugin before this one sent it.
type Message struct {
	// Key is nil where it is Kafka's null.
	Key []byte
	// Value is nil where it is Kafka's null, a tombstone in a compacted topic.
	Value []byte
	// Headers are in order, and names may repeat.
	Headers []Header
	// Offset is the one in its partition. Offsets grow, but not always by one.
	Offset int64
	// Timestamp says when it was written.
	Timestamp Timestamp
}

// Header is one header of a record.
type Header struct {
	// Name shows U+FFFD where it is not UTF-8; a forwarded record keeps the original
	// bytes.
	Name string
	// Value is nil where it is Kafka's null.
	Value []byte
}

// TimestampKind says who set a timestamp (Kafka's message.timestamp.type).
type TimestampKind uint8

const (
	// NotAvailable is the kind of a record that carries no timestamp.
	NotAvailable TimestampKind = iota
	// CreateTime was set by the producer.
	CreateTime
	// LogAppendTime was set by the broker when it appended the record.
	LogAppendTime
)

// Timestamp says when a record was written.
type Timestamp struct {
	Kind TimestampKind
	// Millis since 1970-01-01T00:00:00Z; 0 where there is none.
	Millis int64
}

// Time is the timestamp in UTC, and whether there is one.
func (t Timestamp) Time() (time.Time, bool) {
	return time.UnixMilli(t.Millis).UTC(), t.Kind != NotAvailable
}

// Batch is consecutive messages of one partition, in offset order, never empty.
type Batch struct {
	Source
	Messages []Message
}

// ValueBytes is the value, or an error that says that it is null.
func (m *Message) ValueBytes() ([]byte, error) {
	return present(m.Value, "the value")
}

// ValueString is the value as text, or an error that says why it is none.
func (m *Message) ValueString() (string, error) {
	return text(m.Value, "the value")
}

// KeyBytes is the key, or an error that says that it is null.
func (m *Message) KeyBytes() ([]byte, error) {
	return present(m.Key, "the key")
}

// KeyString is the key as text, or an error that says why it is none.
func (m *Message) KeyString() (string, error) {
	return text(m.Key, "the key")
}

// Header is the value of the last header of this name (as Kafka's lastHeader), and
// whether there is one: it may be null.
func (m *Message) Header(name string) ([]byte, bool) {
	for i := len(m.Headers) - 1; i >= 0; i-- {
		if m.Headers[i].Name == name {
			return m.Headers[i].Value, true
		}
	}
	return nil, false
}

func present(payload []byte, what string) ([]byte, error) {
	if payload == nil {
		return nil, errors.New(what + " is null")
	}
	return payload, nil
}

func text(payload []byte, what string) (string, error) {
	payload, err := present(payload, what)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(payload) {
		return "", errors.New(what + " is not UTF-8")
	}
	return string(payload), nil
}
