package millrace

// Verdict is what becomes of one message: [Forward], [Drop], an [*Output], [Expand] or
// [Fail].
type Verdict interface{ verdict() }

type (
	forward struct{}
	drop    struct{}
)

var (
	// Forward sends the message to the default topic unchanged.
	Forward Verdict = forward{}
	// Drop filters the message out on purpose. That is no error.
	Drop Verdict = drop{}
)

// Expand sends these in the message's place, in this order. An empty one is [Drop].
type Expand []*Output

// Fail says why the message can't be processed, as the error that
// [Transformer.Transform] returns does. The pipeline's error policy has it.
type Fail string

func (forward) verdict() {}
func (drop) verdict()    {}
func (*Output) verdict() {}
func (Expand) verdict()  {}
func (Fail) verdict()    {}

// Output is one record that goes out in a message's place. The zero value has everything
// of its source, and goes to the default topic.
type Output struct {
	// Topic is nil for the one that a plugin before this one named, or the pipeline's
	// default topic.
	Topic *string
	// Partition counts from 0. Where it is nil, the key's hash chooses, or chance where
	// the key is null, unless a plugin before this one chose it and this one names no
	// topic.
	Partition *int32
	// Timestamp is in milliseconds since the epoch; nil is the source's.
	Timestamp *int64
	Key       Payload
	Value     Payload
	// Headers go after the source's, or with OnlyHeaders alone.
	Headers     []Header
	OnlyHeaders bool
}

// Value is an output with this value; the rest is the source's. A nil []byte is a null
// value, a tombstone, as everywhere: bytes.Buffer's Bytes is nil before the first write.
func Value[T []byte | string](value T) *Output {
	return &Output{Value: Bytes(value)}
}

// WithKey sets the key; nil is null.
func (o *Output) WithKey(key []byte) *Output {
	o.Key = Bytes(key)
	return o
}

// WithValue sets the value; nil is null.
func (o *Output) WithValue(value []byte) *Output {
	o.Value = Bytes(value)
	return o
}

// WithHeader adds a header after those that it has: after the source's, unless
// [Output.WithOnlyHeaders] left them out. A nil value is null.
func (o *Output) WithHeader(name string, value []byte) *Output {
	o.Headers = append(o.Headers, Header{name, value})
	return o
}

// WithOnlyHeaders sets these headers instead of the source's.
func (o *Output) WithOnlyHeaders(headers ...Header) *Output {
	o.Headers, o.OnlyHeaders = headers, true
	return o
}

// WithTimestamp sets the timestamp, in milliseconds since the epoch.
func (o *Output) WithTimestamp(millis int64) *Output {
	o.Timestamp = &millis
	return o
}

// ToTopic sends it to this topic.
func (o *Output) ToTopic(topic string) *Output {
	o.Topic = &topic
	return o
}

// ToPartition sends it to this partition, counted from 0.
func (o *Output) ToPartition(partition int32) *Output {
	o.Partition = &partition
	return o
}

// Payload is a key or a value that goes out. The zero value is the source message's own,
// unchanged.
type Payload struct {
	set   bool
	bytes []byte
}

// Null is Kafka's null.
var Null = Payload{set: true}

// Bytes is a payload of these bytes. A nil []byte is [Null]; "" is empty.
func Bytes[T []byte | string](bytes T) Payload {
	payload := []byte(bytes)
	if _, is := any(bytes).(string); is && payload == nil {
		payload = []byte{}
	}
	return Payload{true, payload}
}

// IsSource says whether it is the source message's own.
func (p Payload) IsSource() bool { return !p.set }

// IsNull says whether it is Kafka's null.
func (p Payload) IsNull() bool { return p.set && p.bytes == nil }

// Bytes are nil where it is null or the source's.
func (p Payload) Bytes() []byte { return p.bytes }
