// Cleans orders, as JSON: void ones are dropped, the others get total_cents and go out as
// they came otherwise (with a note, or whatever else they have).
package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace"
	"millrace/transform"
)

type orders struct{}

func newOrders(config string) (orders, error) {
	return orders{}, nil
}

func init() { transform.Register(newOrders) }

func main() {}

// Transform is called for each record.
func (orders) Transform(m *millrace.Message, _ millrace.Source) (millrace.Verdict, error) {
	value, err := m.ValueBytes()
	if err != nil {
		return nil, err
	}
	cleaned, err := clean(string(value))
	switch {
	case err != nil:
		return nil, err
	case cleaned == nil:
		return millrace.Drop, nil
	default:
		return millrace.Value(cleaned), nil
	}
}

// clean is the order as it goes out, or nil where it is void.
func clean(text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8: " + whatIsNotUTF8(text))
	}
	order, err := readOrder(text)
	if err != nil {
		return nil, err
	}
	if order.status == "void" {
		return nil, nil
	}
	cents := math.Round(order.amount * 100) // Half away from zero.
	if math.Abs(cents) > 1<<53 {
		amount := strings.Replace(strconv.FormatFloat(order.amount, 'e', -1, 64), "e+", "e", 1)
		return nil, fmt.Errorf("not an order: amount %s is too large", amount)
	}
	// The text is kept, not written anew: nothing of it changes, and it's faster.
	const field = `,"total_cents":`
	open := strings.TrimRight(text, space)
	open = open[:len(open)-1]
	cleaned := make([]byte, 0, len(open)+len(field)+len("-9007199254740992}"))
	cleaned = append(cleaned, open...)
	cleaned = append(cleaned, field...)
	cleaned = strconv.AppendInt(cleaned, int64(cents), 10)
	return append(cleaned, '}'), nil
}

func whatIsNotUTF8(text string) string {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	// As many bytes as could have begun a character are one sequence.
	for length := 1; length <= 3; length++ {
		if at+length == len(text) && !utf8.FullRuneInString(text[at:]) {
			return fmt.Sprintf("incomplete utf-8 byte sequence from index %d", at)
		}
		if utf8.FullRuneInString(text[at : at+length]) {
			return fmt.Sprintf("invalid utf-8 sequence of %d bytes from index %d", max(1, length-1), at)
		}
	}
	return fmt.Sprintf("invalid utf-8 sequence of 3 bytes from index %d", at)
}
