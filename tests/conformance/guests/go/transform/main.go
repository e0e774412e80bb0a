package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"conformance/behaviour"
	"millrace"
	"millrace/transform"
)

type guest struct{ count int }

func newGuest(config string) (*guest, error) {
	return &guest{}, behaviour.Init(config)
}

func init() { transform.Register(newGuest) }

func main() {}

var fourHeaders = []millrace.Header{
	{Name: "a", Value: []byte("1")},
	{Name: "a", Value: nil},
	{Name: "é", Value: []byte{0x00, 0xff}},
	{Name: "b", Value: []byte{}},
}

func (g *guest) Transform(m *millrace.Message, from millrace.Source) (millrace.Verdict, error) {
	g.count++
	if m.Value == nil {
		return millrace.Forward, nil
	}
	word, argument, is := bytes.Cut(m.Value, []byte(" "))
	if !is {
		argument = []byte{} // Cut's is nil, which would be null.
	}
	out := &millrace.Output{}
	switch string(word) {
	case "forward":
		return millrace.Forward, nil
	case "drop":
		return millrace.Drop, nil
	case "same":
		return out, nil
	case "key":
		return out.WithKey(argument), nil
	case "null-key":
		return out.WithKey(nil), nil
	case "value":
		return out.WithValue(argument), nil
	case "null-value":
		return out.WithValue(nil), nil
	case "timestamp":
		millis, err := number(argument, 64)
		return out.WithTimestamp(millis), err
	case "topic":
		topic, err := behaviour.Text(argument)
		return out.ToTopic(topic), err
	case "partition":
		partition, err := number(argument, 32)
		return out.ToPartition(int32(partition)), err
	case "append":
		for _, header := range fourHeaders {
			out.WithHeader(header.Name, header.Value)
		}
		return out, nil
	case "append-none":
		out.Headers = []millrace.Header{}
		return out, nil
	case "only":
		return out.WithOnlyHeaders(fourHeaders...), nil
	case "only-none":
		return out.WithOnlyHeaders(), nil
	case "expand":
		n, err := number(argument, 64)
		if n < 0 || err != nil {
			return nil, behaviour.ErrArgument
		}
		outputs := millrace.Expand{}
		for i := range n {
			outputs = append(outputs, millrace.Value(strconv.FormatInt(i, 10)))
		}
		return outputs, nil
	case "each":
		return millrace.Expand{
			millrace.Value[[]byte](nil),
			out.ToTopic("other"),
			new(millrace.Output).WithOnlyHeaders(fourHeaders...),
		}, nil
	case "fail":
		reason, err := behaviour.Text(argument)
		if err == nil {
			err = errors.New(reason)
		}
		return nil, err
	case "throw":
		reason, err := behaviour.Text(argument)
		if err != nil {
			return nil, err
		}
		panic(reason)
	case "log":
		all, err := behaviour.Text(argument)
		level, line, _ := strings.Cut(all, " ")
		if err != nil || !behaviour.Log(level, line) {
			return nil, behaviour.ErrArgument
		}
		return millrace.Forward, nil
	case "describe":
		return millrace.Value(describe(m, from)), nil
	case "echo":
		return millrace.Value(m.Value).WithKey(m.Key).WithOnlyHeaders(m.Headers...), nil
	case "count":
		return millrace.Value(strconv.Itoa(g.count)), nil
	default:
		return nil, errors.New("unknown command: " + lossy(word))
	}
}

// lossy is text with one U+FFFD for each sequence that began a character and is none.
func lossy(text []byte) string {
	var valid []byte
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		for r == utf8.RuneError && size < len(text) && !utf8.FullRune(text[:size+1]) {
			size++
		}
		valid = utf8.AppendRune(valid, r)
		text = text[size:]
	}
	return string(valid)
}

func number(argument []byte, bits int) (int64, error) {
	n, err := strconv.ParseInt(string(argument), 10, bits)
	if err != nil {
		return 0, behaviour.ErrArgument
	}
	return n, nil
}

func describe(m *millrace.Message, from millrace.Source) string {
	timestamp := "not-available"
	switch m.Timestamp.Kind {
	case millrace.CreateTime:
		timestamp = fmt.Sprintf("create-time:%d", m.Timestamp.Millis)
	case millrace.LogAppendTime:
		timestamp = fmt.Sprintf("log-append-time:%d", m.Timestamp.Millis)
	}
	headers := make([]string, len(m.Headers))
	for i, header := range m.Headers {
		headers[i] = header.Name + "=" + described(header.Value)
	}
	return fmt.Sprintf("topic=%s partition=%d offset=%d timestamp=%s key=%s headers=[%s]",
		from.Topic, from.Partition, m.Offset, timestamp, described(m.Key), strings.Join(headers, ","))
}

func described(payload []byte) string {
	if payload == nil {
		return "null"
	}
	return "0x" + hex.EncodeToString(payload)
}
