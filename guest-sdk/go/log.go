package millrace

import (
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// LevelTrace is the host's level below slog's Debug, for following single records:
//
//	slog.Log(ctx, millrace.LevelTrace, "seen", "offset", m.Offset)
//
// In a plugin, the default logger of log/slog writes to the host's log, and so does
// package log, at the level Info. In a unit test they write to stderr, as ever.
const LevelTrace slog.Level = -8

// hostLogger is a logger whose lines go to write, with the levels of the contract.
func hostLogger(write func(level uint32, line string)) *slog.Logger {
	lowest := slog.Level(math.MinInt) // The host decides what is shown.
	return slog.New(slog.NewTextHandler(lineWriter(write), &slog.HandlerOptions{Level: lowest}))
}

// lineWriter takes slog's text apart again: the host shows time and level itself, and the
// message as it is.
type lineWriter func(level uint32, line string)

func (write lineWriter) Write(line []byte) (int, error) {
	_, text, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "level=")
	name, text, _ := strings.Cut(text, " msg=")
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return 0, err
	}
	message, attributes, _ := strings.Cut(text, " ")
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		attributes = strings.TrimPrefix(text[len(quoted):], " ")
		if message, err = strconv.Unquote(quoted); err != nil {
			return 0, err
		}
	}
	if attributes != "" {
		message += " " + attributes
	}
	write(hostLevel(level), strings.ToValidUTF8(message, "\uFFFD"))
	return len(line), nil
}

// hostLevel is the contract's number of a level.
func hostLevel(level slog.Level) uint32 {
	switch {
	case level < slog.LevelDebug:
		return 0
	case level < slog.LevelInfo:
		return 1
	case level < slog.LevelWarn:
		return 2
	case level < slog.LevelError:
		return 3
	default:
		return 4
	}
}
