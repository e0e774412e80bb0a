package main

import (
	"strings"
	"testing"

	"millrace"
)

const paid = `{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…"}`

// with is the order with one of its parts replaced.
func with(part, by string) string { return strings.Replace(paid, part, by, 1) }

func cleaned(t *testing.T, text string) string {
	t.Helper()
	got, err := clean(text)
	if got == nil || err != nil {
		t.Fatalf("%s: got %q, %v", text, got, err)
	}
	return string(got)
}

func TestAPaidOrderGetsItsCentsAndKeepsTheRestAsItWas(t *testing.T) {
	for text, want := range map[string]string{
		paid: `{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…","total_cents":1250}`,
		"{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, \"customer\": \"\\u0063\", \"currency\": \"EUR\" }\n": "{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, \"customer\": \"\\u0063\", \"currency\": \"EUR\" ,\"total_cents\":300}",
	} {
		if got := cleaned(t, text); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestAVoidOrderIsDroppedHoweverItsStatusIsWritten(t *testing.T) {
	for _, status := range []string{"void", `\u0076oid`} {
		value := []byte(with("paid", status))
		verdict, err := orders{}.Transform(&millrace.Message{Value: value}, millrace.Source{})
		if verdict != millrace.Drop || err != nil {
			t.Errorf("%s gives %v, %v", status, verdict, err)
		}
	}
	cleaned(t, with("paid", "VOID"))
}

func TestCentsAreRoundedHalfAwayFromZeroFromTheDouble(t *testing.T) {
	for amount, want := range map[string]string{
		"0":                 "0",
		"-0.0":              "0",
		"0.29":              "29", // 28.999999999999996
		"0.125":             "13", // exactly half
		"-0.125":            "-13",
		"1.005":             "100", // the double is below 1.005
		"1e3":               "100000",
		"90071992547409.92": "9007199254740992",
	} {
		if got := cleaned(t, with("12.50", amount)); !strings.HasSuffix(got, `,"total_cents":`+want+"}") {
			t.Errorf("%s gives %s", amount, got)
		}
	}
}

func TestWhatIsNoOrderFailsWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "not JSON: EOF while parsing a value at line 1 column 0",
		"{oops}":                            "not JSON: key must be a string at line 1 column 2",
		paid + "}":                          "not JSON: trailing characters at line 1 column 90",
		with("12.50", "1e400"):              "not JSON: number out of range at line 1 column 42",
		with("12.50", "01"):                 "not JSON: invalid number at line 1 column 39",
		with("12.50", "nul"):                "not JSON: expected ident at line 1 column 41",
		with("…", `\x`):                     "not JSON: invalid escape at line 1 column 86",
		"{\"id\":\"\xff\"}":                 "not UTF-8: invalid utf-8 sequence of 1 bytes from index 7",
		"\xe2\x82":                          "not UTF-8: incomplete utf-8 byte sequence from index 0",
		"42":                                "not an order: invalid type: integer `42`, expected struct Order",
		"[1]":                               "not an order: invalid length 1, expected struct Order with 6 elements",
		with("12.50", "1e300"):              "not an order: amount 1e300 is too large",
		with("12.50", "null"):               "not an order: invalid type: null, expected f64",
		with(`"paid"`, "7"):                 "not an order: invalid type: integer `7`, expected a string",
		with(`"id":1`, `"id":-1`):           "not an order: invalid value: integer `-1`, expected u64",
		with(`"amount":12.50,`, ""):         "not an order: missing field `amount`",
		with(`"note"`, `"amount":1,"note"`): "not an order: duplicate field `amount`",
		with(`"note"`, `"total_cents":null,"note"`): "not an order: `total_cents` is already there",
		`[1,"c00042",12.50,"EUR","paid",{}]`:        "not an order: `total_cents` is already there",
		`[1,"c00042",12.50,"EUR","paid"]`:           "not an order: an array",
	} {
		if got, err := clean(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %q, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestAReasonQuotesATextAsRustDoes(t *testing.T) {
	_, err := clean(with("12.50", `"\u0000\u0001\t\u007f'\"é"`))
	const want = `not an order: invalid type: string "\0\u{1}\t\u{7f}'\"é", expected f64`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsWrongInAStringIsSaidWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		with("…", "\x01"):        "not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 84",
		with("paid", "\x01"):     "not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 71",
		with("paid", `\ud800`):   "not JSON: unexpected end of hex escape at line 1 column 77",
		with("paid", `\ud800\n`): "not JSON: unexpected end of hex escape at line 1 column 78",
		with("paid", `\udc00`):   "not JSON: lone leading surrogate in hex escape at line 1 column 76",
		`{"status":"\ud800`:      "not JSON: EOF while parsing a string at line 1 column 17",
	} {
		if _, err := clean(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestANullValueFails(t *testing.T) {
	_, err := orders{}.Transform(&millrace.Message{}, millrace.Source{})
	if err == nil || err.Error() != "the value is null" {
		t.Errorf("got %v", err)
	}
}

func TestOtherFieldsMayHoldAnythingThatIsJSON(t *testing.T) {
	deep := strings.Repeat(`[{"a":`, 1000) + `"\ud800"` + strings.Repeat("}]", 1000)
	cleaned(t, with(`"…"`, deep))
}

func BenchmarkClean(b *testing.B) {
	for range b.N {
		if _, err := clean(paid); err != nil {
			b.Fatal(err)
		}
	}
}
