package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// order is what is used of an order: of id, customer and currency it is only checked that
// they are there and of their type.
type order struct {
	amount float64
	status string
}

// fields are an order's, in the order in which an array would have them.
var fields = [...]string{"id", "customer", "amount", "currency", "status", "total_cents"}

const totalCents = 5 // May be missing, and may not be there.

func noOrder(format string, arguments ...any) error {
	return fmt.Errorf("not an order: "+format, arguments...)
}

// readOrder reads more strictly than encoding/json, for which a field given twice, `ID`
// for `id` or `null` for a text is no error.
func readOrder(text string) (*order, error) {
	r := &reader{text: text}
	var order order
	isArray := false
	kind, err := r.peek()
	if err == nil {
		switch kind {
		case '{':
			err = r.readObject(&order)
		case '[':
			isArray = true
			err = r.readArray(&order)
		default:
			err = r.wrongType("struct Order")
		}
	}
	if err == nil {
		err = r.end()
	}
	if err == nil && isArray {
		err = noOrder("an array")
	}
	return &order, err
}

func (r *reader) readObject(order *order) error {
	r.at++
	var seen [len(fields)]bool
	for first := true; ; first = false {
		more, err := r.nextKey(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name, err := r.string()
		if err != nil {
			return err
		}
		field := fieldOf(name)
		if field >= 0 && seen[field] {
			return noOrder("duplicate field `%s`", name)
		}
		if err := r.colon(); err != nil {
			return err
		}
		if field < 0 {
			err = r.skip()
		} else {
			seen[field] = true
			err = r.readField(field, order)
		}
		if err != nil {
			return err
		}
	}
	for field, name := range fields[:totalCents] {
		if !seen[field] {
			return noOrder("missing field `%s`", name)
		}
	}
	r.at++
	return nil
}

func (r *reader) readArray(order *order) error {
	r.at++
	for field := range fields {
		more, err := r.nextElement(field == 0)
		if err != nil {
			return err
		}
		if !more {
			if field < totalCents {
				return noOrder("invalid length %d, expected struct Order with %d elements", field, len(fields))
			}
			break
		}
		if err := r.readField(field, order); err != nil {
			return err
		}
	}
	r.at++
	return nil
}

func fieldOf(name string) int {
	switch name {
	case "id":
		return 0
	case "customer":
		return 1
	case "amount":
		return 2
	case "currency":
		return 3
	case "status":
		return 4
	case "total_cents":
		return totalCents
	}
	return -1
}

func (r *reader) readField(field int, order *order) (err error) {
	if field == totalCents {
		return noOrder("`total_cents` is already there") // A second one would leave readers to choose.
	}
	kind, err := r.peek()
	if err != nil {
		return err
	}
	switch fields[field] {
	case "id":
		if !isNumber(kind) {
			return r.wrongType("u64")
		}
		number, err := r.number()
		if err != nil {
			return err
		}
		_, err = strconv.ParseUint(number, 10, 64)
		if err != nil {
			return r.wrongNumber(number, "u64")
		}
		return nil
	case "amount":
		if !isNumber(kind) {
			return r.wrongType("f64")
		}
		number, err := r.number()
		if err != nil {
			return err
		}
		order.amount, err = strconv.ParseFloat(number, 64)
		if err != nil {
			return r.notJSON("number out of range")
		}
		return nil
	default:
		if kind != '"' {
			return r.wrongType("a string")
		}
		text, err := r.string()
		if fields[field] == "status" {
			order.status = text
		}
		return err
	}
}

func isNumber(kind byte) bool { return kind == '-' || '0' <= kind && kind <= '9' }

// wrongType says what is there in place of what was expected.
func (r *reader) wrongType(expected string) error {
	found := ""
	kind := r.text[r.at]
	switch {
	case kind == '"':
		text, err := r.string()
		if err != nil {
			return err
		}
		found = "string " + quoted(text)
	case isNumber(kind):
		number, err := r.number()
		if err != nil {
			return err
		}
		return r.wrongNumber(number, expected)
	case kind == '[':
		found = "sequence"
	case kind == '{':
		found = "map"
	default:
		word, err := r.word()
		if err != nil {
			return err
		}
		found = map[string]string{"null": "null", "true": "boolean `true`", "false": "boolean `false`"}[word]
	}
	return noOrder("invalid type: %s, expected %s", found, expected)
}

// quoted is a text as Rust's Debug shows it, as far as it is ASCII.
func quoted(text string) string {
	shown := []byte{'"'}
	for _, b := range []byte(text) {
		switch short := strings.IndexByte("\x00\t\n\r\"\\", b); {
		case short >= 0:
			shown = append(shown, '\\', `0tnr"\`[short])
		case b < ' ' || b == 0x7f:
			shown = fmt.Appendf(shown, `\u{%x}`, b)
		default:
			shown = append(shown, b)
		}
	}
	return string(append(shown, '"'))
}

func (r *reader) wrongNumber(number, expected string) error {
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil && number != "-0" {
		if whole < 0 && expected == "u64" {
			return noOrder("invalid value: integer `%d`, expected u64", whole)
		}
		return noOrder("invalid type: integer `%d`, expected %s", whole, expected)
	}
	if whole, err := strconv.ParseUint(number, 10, 64); err == nil {
		return noOrder("invalid type: integer `%d`, expected %s", whole, expected)
	}
	double, err := strconv.ParseFloat(number, 64)
	if errors.Is(err, strconv.ErrRange) {
		return r.notJSON("number out of range")
	}
	return noOrder("invalid type: floating point `%s`, expected %s", floatText(double), expected)
}

// floatText has an exponent only where the number is very large or small.
func floatText(double float64) string {
	if size := math.Abs(double); size != 0 && (size < 1e-5 || size >= 1e16) {
		text := strconv.FormatFloat(double, 'e', -1, 64)
		return strings.Replace(text, "e-0", "e-", 1)
	}
	text := strconv.FormatFloat(double, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
