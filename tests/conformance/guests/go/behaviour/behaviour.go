// Package behaviour is what the three guests have in common.
package behaviour

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"millrace"
)

// Init is what every init does with its configuration.
func Init(config string) error {
	if config == "log" {
		for _, name := range []string{"trace", "debug", "info", "warn", "error"} {
			Log(name, name+" line")
		}
		return nil
	}
	if text, is := strings.CutPrefix(config, "refuse "); is {
		return errors.New(text)
	}
	if text, is := strings.CutPrefix(config, "throw "); is {
		panic(text)
	}
	if config != "" {
		return errors.New("unknown configuration: " + config)
	}
	return nil
}

// Log writes a line at the level of this name, and says whether there is one.
func Log(level, line string) bool {
	levels := map[string]slog.Level{
		"trace": millrace.LevelTrace,
		"debug": slog.LevelDebug,
		"info":  slog.LevelInfo,
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
	}
	number, is := levels[level]
	if is {
		slog.Log(context.Background(), number, line)
	}
	return is
}

// ErrArgument is of an argument that should be a number or text and is not.
var ErrArgument = errors.New("bad argument")

// Text is an argument as text.
func Text(argument []byte) (string, error) {
	if !utf8.Valid(argument) {
		return "", ErrArgument
	}
	return string(argument), nil
}

// Codec deserializes and serializes: what it writes is between its two parts.
type Codec struct{ Before, After string }

func (c Codec) convert(payload []byte, place millrace.Place) ([]byte, error) {
	word, argument, _ := bytes.Cut(payload, []byte(" "))
	switch string(word) {
	case "fail", "throw":
		reason, err := Text(argument)
		if err != nil {
			return nil, err
		}
		if string(word) == "throw" {
			panic(reason)
		}
		return nil, errors.New(reason)
	}
	return []byte(c.Before + place.Field.String() + ":" + place.Topic + ":" + string(payload) + c.After), nil
}

// Deserialize is the deserializer's.
func (c Codec) Deserialize(payload []byte, place millrace.Place) ([]byte, error) {
	return c.convert(payload, place)
}

// Serialize is the serializer's.
func (c Codec) Serialize(payload []byte, place millrace.Place) ([]byte, error) {
	return c.convert(payload, place)
}
