package main

import (
	"strings"
	"testing"

	"millrace"
)

func encode(t *testing.T, json string) (string, error) {
	t.Helper()
	p, err := newPlugin("")
	if err != nil {
		t.Fatal(err)
	}
	place := millrace.Place{Topic: "readings", Field: millrace.ValueField}
	line, err := p.Serialize([]byte(json), place)
	return string(line), err
}

func TestAnObjectBecomesALine(t *testing.T) {
	got, err := encode(t, `{"sensor":"a1","celsius":21.5,"ok":true}`)
	if want := "celsius=21.5 ok=true sensor=a1"; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestWhatFitsIntoNoLineFailsWithTheReason(t *testing.T) {
	for value, want := range map[string]string{
		`{"a":[1]}`:   "a holds more than one value",
		`{"a":"b c"}`: "a has a space in it",
		`21.5`:        "json: cannot unmarshal number",
	} {
		if _, err := encode(t, value); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
}

func TestAConfigurationRefusesThePlugin(t *testing.T) {
	if _, err := newPlugin("upper"); err == nil {
		t.Error("it is taken")
	}
}
