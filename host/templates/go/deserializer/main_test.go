package main

import (
	"testing"

	"millrace"
)

func decode(t *testing.T, line string) (string, error) {
	t.Helper()
	p, err := newPlugin("")
	if err != nil {
		t.Fatal(err)
	}
	place := millrace.Place{Topic: "readings", Field: millrace.ValueField}
	json, err := p.Deserialize([]byte(line), place)
	return string(json), err
}

func TestALineBecomesAnObject(t *testing.T) {
	got, err := decode(t, "sensor=a1 celsius=21.5\n")
	if want := `{"celsius":"21.5","sensor":"a1"}`; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestWhatIsNoPairFailsWithTheReason(t *testing.T) {
	_, err := decode(t, "sensor=a1 hot")
	if want := `there is no = in "hot"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAConfigurationRefusesThePlugin(t *testing.T) {
	if _, err := newPlugin("upper"); err == nil {
		t.Error("it is taken")
	}
}
