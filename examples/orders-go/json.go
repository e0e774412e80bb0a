package main

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// space is what JSON allows between its parts.
const space = " \t\n\r"

// reader reads JSON (RFC 8259) from front to back. Where it has looked at a byte and not
// taken it, at is that byte's.
type reader struct {
	text string
	at   int
}

// notJSON is an error behind what was taken.
func (r *reader) notJSON(what string) error {
	taken := r.text[:min(r.at, len(r.text))]
	line := 1 + strings.Count(taken, "\n")
	column := len(taken) - 1 - strings.LastIndexByte(taken, '\n')
	return fmt.Errorf("not JSON: %s at line %d column %d", what, line, column)
}

// notHere is an error at the next byte.
func (r *reader) notHere(what string) error {
	r.at++
	return r.notJSON(what)
}

// next passes over space, and is false at the end.
func (r *reader) next() (byte, bool) {
	for ; r.at < len(r.text); r.at++ {
		switch b := r.text[r.at]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b, true
		}
	}
	return 0, false
}

// peek is the byte that a value begins with.
func (r *reader) peek() (byte, error) {
	b, is := r.next()
	if !is {
		return 0, r.notHere("EOF while parsing a value")
	}
	return b, nil
}

// end is an error where anything follows.
func (r *reader) end() error {
	if _, is := r.next(); is {
		return r.notHere("trailing characters")
	}
	return nil
}

// nextKey goes to an object's next key, or is false at its end, which it leaves.
func (r *reader) nextKey(first bool) (bool, error) {
	b, is := r.next()
	switch {
	case !is:
		return false, r.notHere("EOF while parsing an object")
	case b == '}':
		return false, nil
	case !first && b != ',':
		return false, r.notHere("expected `,` or `}`")
	case !first:
		r.at++
		b, is = r.next()
	}
	switch {
	case !is:
		return false, r.notHere("EOF while parsing a value")
	case b == '}':
		return false, r.notHere("trailing comma")
	case b != '"':
		return false, r.notHere("key must be a string")
	}
	return true, nil
}

// nextElement goes to an array's next element, or is false at its end, which it leaves.
func (r *reader) nextElement(first bool) (bool, error) {
	b, is := r.next()
	switch {
	case !is:
		return false, r.notHere("EOF while parsing a list")
	case b == ']':
		return false, nil
	case !first && b != ',':
		return false, r.notHere("expected `,` or `]`")
	case !first:
		r.at++
		if b, is = r.next(); !is {
			return false, r.notHere("EOF while parsing a value")
		}
		if b == ']' {
			return false, r.notHere("trailing comma")
		}
	}
	return true, nil
}

func (r *reader) colon() error {
	b, is := r.next()
	if !is {
		return r.notHere("EOF while parsing an object")
	}
	if b != ':' {
		return r.notHere("expected `:`")
	}
	r.at++
	return nil
}

// string reads a string, whose first quote is next.
func (r *reader) string() (string, error) {
	r.at++
	start := r.at
	for r.at < len(r.text) {
		switch b := r.text[r.at]; {
		case b == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case b == '\\':
			return r.escaped(start)
		case b < ' ':
			return "", r.notHere(control)
		}
		r.at++
	}
	return "", r.notJSON("EOF while parsing a string")
}

// escapes are what may follow a backslash, beside u.
const escapes = `"\/bfnrt`

const control = "control character (\\u0000-\\u001F) found while parsing a string"

// escaped is string from the first escape on.
func (r *reader) escaped(start int) (string, error) {
	unescaped := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		b := r.text[r.at]
		r.at++
		switch {
		case b == '"':
			return string(unescaped), nil
		case b < ' ':
			return "", r.notJSON(control)
		case b != '\\':
			unescaped = append(unescaped, b)
			continue
		}
		if r.at == len(r.text) {
			break
		}
		b = r.text[r.at]
		r.at++
		if b == 'u' {
			char, err := r.escapedChar()
			if err != nil {
				return "", err
			}
			unescaped = utf8.AppendRune(unescaped, char)
			continue
		}
		at := strings.IndexByte(escapes, b)
		if at < 0 {
			return "", r.notJSON("invalid escape")
		}
		unescaped = append(unescaped, "\"\\/\b\f\n\r\t"[at])
	}
	return "", r.notJSON("EOF while parsing a string")
}

// skipString passes over a string that nobody reads: half a surrogate does no harm there.
func (r *reader) skipString() error {
	r.at++
	for r.at < len(r.text) {
		b := r.text[r.at]
		if b < ' ' {
			return r.notJSON(control)
		}
		r.at++
		switch {
		case b == '"':
			return nil
		case b != '\\' || r.at == len(r.text):
			continue
		}
		b = r.text[r.at]
		r.at++
		if b == 'u' {
			if _, err := r.hexadecimal(); err != nil {
				return err
			}
		} else if strings.IndexByte(escapes, b) < 0 {
			return r.notJSON("invalid escape")
		}
	}
	return r.notJSON("EOF while parsing a string")
}

// escapedChar reads what follows `\u`, for two surrogates both of them.
func (r *reader) escapedChar() (rune, error) {
	char, err := r.hexadecimal()
	if err != nil || !utf16.IsSurrogate(char) {
		return char, err
	}
	if char >= 0xdc00 {
		return 0, r.notJSON("lone leading surrogate in hex escape")
	}
	for _, b := range []byte(`\u`) {
		if r.at == len(r.text) {
			return 0, r.notJSON("EOF while parsing a string")
		}
		r.at++
		if r.text[r.at-1] != b {
			return 0, r.notJSON("unexpected end of hex escape")
		}
	}
	second, err := r.hexadecimal()
	if err != nil {
		return 0, err
	}
	if second < 0xdc00 || second > 0xdfff {
		return 0, r.notJSON("lone leading surrogate in hex escape")
	}
	return utf16.DecodeRune(char, second), nil
}

func (r *reader) hexadecimal() (rune, error) {
	if len(r.text)-r.at < 4 {
		r.at = len(r.text)
		return 0, r.notJSON("EOF while parsing a string")
	}
	var char rune
	for _, b := range []byte(r.text[r.at : r.at+4]) {
		digit := strings.IndexByte("0123456789abcdef", b|0x20)
		if b < '0' || digit < 0 || '9' < b && b < 'A' {
			r.at += 4
			return 0, r.notJSON("invalid escape")
		}
		char = char<<4 | rune(digit)
	}
	r.at += 4
	return char, nil
}

// number reads a number, whose first byte is next, and says how it is written.
func (r *reader) number() (string, error) {
	start := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	if r.at == len(r.text) {
		return "", r.notJSON("EOF while parsing a value")
	}
	switch first := r.text[r.at]; {
	case first == '0':
		r.at++
		if r.digit() {
			return "", r.notHere("invalid number")
		}
	case r.digit():
		r.digits()
	default:
		return "", r.notHere("invalid number")
	}
	if r.is('.') {
		r.at++
		if !r.digit() {
			return "", r.noDigit()
		}
		r.digits()
	}
	if r.is('e') || r.is('E') {
		r.at++
		if r.is('+') || r.is('-') {
			r.at++
		}
		if !r.digit() {
			return "", r.noDigit()
		}
		r.digits()
	}
	return r.text[start:r.at], nil
}

func (r *reader) is(b byte) bool { return r.at < len(r.text) && r.text[r.at] == b }

func (r *reader) digit() bool {
	return r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9'
}

func (r *reader) digits() {
	for r.digit() {
		r.at++
	}
}

func (r *reader) noDigit() error {
	if r.at == len(r.text) {
		return r.notJSON("EOF while parsing a value")
	}
	return r.notHere("invalid number")
}

// word reads null, true or false.
func (r *reader) word() (string, error) {
	word := map[byte]string{'n': "null", 't': "true", 'f': "false"}[r.text[r.at]]
	if word == "" {
		return "", r.notHere("expected value")
	}
	for i := range len(word) {
		if r.at == len(r.text) {
			return "", r.notJSON("EOF while parsing a value")
		}
		r.at++
		if r.text[r.at-1] != word[i] {
			return "", r.notJSON("expected ident")
		}
	}
	return word, nil
}

// skip passes over a value of any type, however deep.
func (r *reader) skip() error {
	var ends []byte // What the arrays and objects that it is in end with.
	for {
		first, err := r.peek()
		if err != nil {
			return err
		}
		began := false
		switch {
		case first == '"':
			err = r.skipString()
		case isNumber(first):
			_, err = r.number()
		case first == '[':
			ends, began = append(ends, ']'), true
			r.at++
		case first == '{':
			ends, began = append(ends, '}'), true
			r.at++
		default:
			_, err = r.word()
		}
		if err != nil {
			return err
		}
		for more := false; !more; began = false {
			if len(ends) == 0 {
				return nil
			}
			if ends[len(ends)-1] == ']' {
				more, err = r.nextElement(began)
			} else if more, err = r.nextKey(began); more {
				if err = r.skipString(); err == nil {
					err = r.colon()
				}
			}
			if err != nil {
				return err
			}
			if !more {
				ends = ends[:len(ends)-1]
				r.at++
			}
		}
	}
}
