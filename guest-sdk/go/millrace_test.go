package millrace

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
)

func TestANullValueAndOneThatIsNotUTF8SaySo(t *testing.T) {
	for _, test := range []struct {
		value []byte
		want  string
	}{{nil, "the value is null"}, {[]byte{'a', 0xff}, "the value is not UTF-8"}} {
		message := Message{Value: test.value}
		if _, err := message.ValueString(); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	message := Message{Key: []byte{}}
	if key, err := message.KeyString(); key != "" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
}

func TestTheLastHeaderOfANameWins(t *testing.T) {
	message := Message{Headers: []Header{{"trace", []byte("1")}, {"trace", []byte("2")}, {"null", nil}}}
	for name, want := range map[string]struct {
		value []byte
		is    bool
	}{"trace": {[]byte("2"), true}, "null": {nil, true}, "Trace": {nil, false}} {
		if value, is := message.Header(name); !reflect.DeepEqual(value, want.value) || is != want.is {
			t.Errorf("%s: got %q, %v", name, value, is)
		}
	}
}

func TestATimestampIsATime(t *testing.T) {
	at, is := Timestamp{CreateTime, 1764000000123}.Time()
	if got := at.Format("2006-01-02T15:04:05.000Z07:00"); got != "2025-11-24T16:00:00.123Z" || !is {
		t.Errorf("got %s, %v", got, is)
	}
	if _, is := (Timestamp{}).Time(); is {
		t.Error("there is one")
	}
}

func TestNullIsNotEmptyAndNotTheSources(t *testing.T) {
	for name, test := range map[string]struct {
		payload        Payload
		isNull, source bool
	}{
		"nothing set": {Output{}.Value, false, true},
		"nil":         {Value[[]byte](nil).Value, true, false},
		"empty bytes": {Value([]byte{}).Value, false, false},
		"empty text":  {Value("").Value, false, false},
		"Null":        {Null, true, false},
	} {
		if test.payload.IsNull() != test.isNull || test.payload.IsSource() != test.source {
			t.Errorf("%s: %+v", name, test.payload)
		}
	}
}

func TestLinesGoToTheHostWithTheirLevelAndAttributes(t *testing.T) {
	type line struct {
		level uint32
		text  string
	}
	var got []line
	logger := hostLogger(func(level uint32, text string) { got = append(got, line{level, text}) })
	for _, level := range []slog.Level{LevelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, 12} {
		logger.Log(context.Background(), level, "line")
	}
	logger.Info("two words\nand \"more\"", "n", 1, "s", "a b")
	logger.With("a", 1).WithGroup("g").Info("é", "b", 2)
	logger.Info("")
	logger.Info("not UTF-8: \xff")
	want := []line{
		{0, "line"}, {1, "line"}, {2, "line"}, {3, "line"}, {4, "line"}, {4, "line"},
		{2, "two words\nand \"more\" n=1 s=\"a b\""}, {2, "é a=1 g.b=2"}, {2, ""}, {2, "not UTF-8: \uFFFD"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
