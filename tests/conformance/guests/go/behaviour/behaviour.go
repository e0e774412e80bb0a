// Package behaviour is what the three guests have in common.
package behaviour

import (
	"context"
	"errors"
	"log/slog"
	"strings"

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

// Codec deserializes and serializes: what it writes is between its two parts.
type Codec struct{ Before, After string }

func (c Codec) convert(payload []byte, place millrace.Place) ([]byte, error) {
	text := string(payload)
	if reason, is := strings.CutPrefix(text, "fail "); is {
		return nil, errors.New(reason)
	}
	if reason, is := strings.CutPrefix(text, "throw "); is {
		panic(reason)
	}
	return []byte(c.Before + place.Field.String() + ":" + place.Topic + ":" + text + c.After), nil
}

// Deserialize is the deserializer's.
func (c Codec) Deserialize(payload []byte, place millrace.Place) ([]byte, error) {
	return c.convert(payload, place)
}

// Serialize is the serializer's.
func (c Codec) Serialize(payload []byte, place millrace.Place) ([]byte, error) {
	return c.convert(payload, place)
}
