// Package run calls a plugin's code for each record, so that a panic is its record's alone.
package run

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
)

const (
	// The host takes 2 KiB of a reason.
	longestMessage = 1024
	longestText    = 1800
	mostFrames     = 16
)

// Each calls judge for 0 to n-1, and failed with the text of the panic for those that
// panicked.
func Each(n int, judge func(i int), failed func(i int, text string)) {
	for i := 0; i < n; {
		i = until(i, n, judge, failed)
	}
}

// until judges until one panics. That one is done, too: the next is returned.
func until(i, n int, judge func(i int), failed func(i int, text string)) (next int) {
	defer func() {
		if value := recover(); value != nil {
			failed(i, describe(value))
			next = i + 1
		}
	}()
	for ; i < n; i++ {
		judge(i)
	}
	return n
}

// Init calls a constructor; a panic is an error, too.
func Init(init func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = errors.New(describe(value))
		}
	}()
	return Plain(init())
}

// Plain is an error that is only its text: an Error that panics does it here.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

// describe is a panic in words: its value, and the functions that it was in, innermost
// first, without what differs from run to run. It is called by the function that recovers.
func describe(value any) string {
	text := strings.Builder{}
	text.WriteString("panic: ")
	message := strings.ToValidUTF8(valueText(value), "\uFFFD")
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	text.WriteString(message)
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	for named, panicking := 0, true; named < mostFrames; {
		frame, more := frames.Next()
		// How the runtime came to panic is always the same.
		panicking = panicking && strings.HasPrefix(frame.Function, "runtime.")
		if isSDK(frame.Function) {
			break // From here on it is always the same, too.
		}
		if !panicking && frame.Function != "" {
			line := fmt.Sprintf("\n  at %s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line)
			if text.Len()+len(line) > longestText {
				break
			}
			text.WriteString(line)
			named++
		}
		if !more {
			break
		}
	}
	return text.String()
}

func isSDK(function string) bool {
	// Register's function, where it was put into the user's by the compiler.
	if strings.Contains(function, ".Register[...]") {
		return true
	}
	// abi.(*Results).Payloads calls a payload error's Error.
	for _, of := range [...]string{"internal/abi.(*Results)", "internal/run", "transform", "deserializer", "serializer"} {
		if strings.HasPrefix(function, "millrace/"+of+".") {
			return true
		}
	}
	return false
}

// valueText has no addresses in it, as fmt has of pointers.
func valueText(value any) (text string) {
	text = fmt.Sprintf("(%T)", value)
	defer func() {
		_ = recover() // Of an Error or a String that panics itself: the type says enough.
	}()
	switch value := value.(type) {
	case error:
		return value.Error()
	case fmt.Stringer:
		return value.String()
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
		float32, float64:
		return fmt.Sprint(value)
	}
	return text
}
