package abi

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"millrace"
)

func bytesOption(b []byte) optionList {
	if b == nil {
		return optionList{}
	}
	return optionList{kind: some, list: listOf(b)}
}

func TestMessagesComeInWithNullsBytesAndRepeatedHeaders(t *testing.T) {
	headers := []header{
		{name: text("a"), value: bytesOption([]byte("1"))},
		{name: text("a"), value: bytesOption(nil)},
		{name: text("é"), value: bytesOption([]byte{})},
	}
	from := []message{
		{
			key: bytesOption([]byte{0, 255}), value: bytesOption([]byte{}), headers: listOf(headers),
			offset: math.MaxInt64, timestamp: timestamp{kind: 2, millis: math.MinInt64},
		},
		{headers: listOf(headers[:1])},
	}
	l := listOf(from)
	got := Messages(l.address, l.length)
	want := []millrace.Message{
		{
			Key: []byte{0, 255}, Value: []byte{},
			Headers:   []millrace.Header{{Name: "a", Value: []byte("1")}, {Name: "a"}, {Name: "é", Value: []byte{}}},
			Offset:    math.MaxInt64,
			Timestamp: millrace.Timestamp{Kind: millrace.LogAppendTime, Millis: math.MinInt64},
		},
		{Headers: []millrace.Header{{Name: "a", Value: []byte("1")}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestWhatIsAppendedToAValueLeavesItsNeighbourAlone(t *testing.T) {
	block := []byte("onetwo")
	from := []list{listOf(block[:3]), listOf(block[3:])}
	l := listOf(from)
	payloads := Payloads(l.address, l.length)
	_ = append(payloads[0], "!!!"...)
	if string(payloads[1]) != "two" {
		t.Errorf("it is %q", payloads[1])
	}
}

// read is what the host would read of a verdict, in words.
func read(t *testing.T, address uint32) []any {
	t.Helper()
	var all []any
	for _, v := range slice[verdict](*(*list)(pointer(address))) {
		held := *(*list)(unsafe.Pointer(&v.output))
		switch v.kind {
		case verdictForward:
			all = append(all, "forward")
		case verdictDrop:
			all = append(all, "drop")
		case verdictReplace:
			all = append(all, readOutput(v.output))
		case verdictExpand:
			outputs := []any{}
			for _, o := range slice[output](held) {
				outputs = append(outputs, readOutput(o))
			}
			all = append(all, outputs)
		case verdictFail:
			all = append(all, "fail "+held.text())
		}
	}
	return all
}

func readOutput(o output) string {
	parts := []string{}
	if o.topic.kind == some {
		parts = append(parts, "topic="+o.topic.list.text())
	}
	if o.partition.kind == some {
		parts = append(parts, "partition="+string(rune('0'+o.partition.value)))
	}
	if o.timestamp.kind == some && o.timestamp.millis == -1 {
		parts = append(parts, "timestamp=-1")
	}
	for name, p := range map[string]optionList{"key": o.key, "value": o.value} {
		switch p.kind {
		case payloadNull:
			parts = append(parts, name+" null")
		case payloadBytes:
			parts = append(parts, name+"="+p.list.text())
		}
	}
	if o.headers.kind != headersSource {
		part := [...]string{"", "append", "only"}[o.headers.kind]
		for _, h := range slice[header](o.headers.list) {
			part += "," + h.name.text()
			if h.value.kind == some {
				part += "=" + h.value.list.text()
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

func TestEveryVerdictGoesOut(t *testing.T) {
	var r Results
	got := read(t, r.Verdicts([]millrace.Verdict{
		millrace.Forward,
		millrace.Drop,
		&millrace.Output{},
		millrace.Value("v").ToTopic("t").ToPartition(3).WithTimestamp(-1),
		new(millrace.Output).WithKey(nil),
		new(millrace.Output).WithKey([]byte{}),
		new(millrace.Output).WithHeader("a", []byte("1")).WithHeader("a", nil).WithHeader("b", []byte{}),
		new(millrace.Output).WithOnlyHeaders(),
		new(millrace.Output).WithOnlyHeaders(millrace.Header{Name: "c"}).WithHeader("d", nil),
		millrace.Expand{},
		millrace.Expand{millrace.Value("1"), millrace.Value("2").WithHeader("x", []byte("y"))},
		millrace.Fail("why"),
	}))
	want := []any{
		"forward", "drop", "", "topic=t partition=3 timestamp=-1 value=v", "key null", "key=",
		"append,a=1,a,b=", "only", "only,c,d", []any{}, []any{"value=1", "value=2 append,x=y"},
		"fail why",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestWhatTheHostWouldNotTakeFailsItsRecordAlone(t *testing.T) {
	var r Results
	got := read(t, r.Verdicts([]millrace.Verdict{
		nil,
		(*millrace.Output)(nil),
		millrace.Value("x").ToTopic("a\xff"),
		millrace.Expand{millrace.Value("x").WithHeader("h", nil), millrace.Value("x").WithHeader("\xfe", nil)},
		millrace.Fail("a\xffb"),
		millrace.Forward,
	}))
	want := []any{
		"fail the plugin gave no verdict: nil",
		"fail the plugin gave an output that is nil",
		`fail the output's topic is not UTF-8: "a\xff"`,
		`fail the name of an output's header is not UTF-8: "\xfe"`,
		"fail a\uFFFDb",
		"forward",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestPayloadsAndTheirErrorsGoOut(t *testing.T) {
	var r Results
	address := r.Payloads([]millrace.Result{{Bytes: []byte("a")}, {Err: errors.New("no\xff")}, {}})
	got := []string{}
	for _, result := range slice[optionList](*(*list)(pointer(address))) {
		got = append(got, [...]string{"ok ", "error "}[result.kind]+result.list.text())
	}
	if want := []string{"ok a", "error no\uFFFD", "ok "}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type panicking struct{}

func (panicking) Error() string { panic("no words") }

func TestAnErrorThatPanicsFailsItsPayloadAlone(t *testing.T) {
	var r Results
	address := r.Payloads([]millrace.Result{{Bytes: []byte("a")}, {Err: panicking{}}, {Bytes: []byte("b")}})
	results := slice[optionList](*(*list)(pointer(address)))
	if results[0].list.text() != "a" || results[2].list.text() != "b" {
		t.Errorf("its neighbours are %q and %q", results[0].list.text(), results[2].list.text())
	}
	why := results[1].list.text()
	if results[1].kind != resultError ||
		!strings.HasPrefix(why, "panic: no words\n  at millrace/internal/abi.panicking.Error (abi_test.go:") {
		t.Errorf("it is %d %q", results[1].kind, why)
	}
	if lines := strings.Count(why, "\n"); lines != 1 {
		t.Errorf("the SDK's own functions are shown: %q", why)
	}
}

func TestAnErrorOfInitGoesOut(t *testing.T) {
	var r Results
	area := (*optionList)(pointer(r.Init(errors.New("why"))))
	if area.kind != resultError || area.list.text() != "why" {
		t.Errorf("got %d %q", area.kind, area.list.text())
	}
	if area = (*optionList)(pointer(r.Init(nil))); area.kind != resultOk {
		t.Errorf("got %d", area.kind)
	}
}
