package main

import (
	"strings"
	"testing"

	"millrace"
)

func judge(t *testing.T, config, value string) (millrace.Verdict, error) {
	t.Helper()
	p, err := newPlugin(config)
	if err != nil {
		t.Fatal(err)
	}
	return p.Transform(&millrace.Message{Value: []byte(value)}, millrace.Source{Topic: "readings"})
}

func TestAReadingGetsItsFahrenheit(t *testing.T) {
	verdict, err := judge(t, "", `{"sensor":"a1","celsius":20}`)
	if err != nil {
		t.Fatal(err)
	}
	got := string(verdict.(*millrace.Output).Value.Bytes())
	if want := `{"celsius":20,"fahrenheit":68,"sensor":"a1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAReadingBelowTheLeastTemperatureIsDropped(t *testing.T) {
	if verdict, _ := judge(t, "5", `{"celsius":4.9}`); verdict != millrace.Drop {
		t.Errorf("4.9 gives %v", verdict)
	}
	if verdict, err := judge(t, "5", `{"celsius":5}`); verdict == millrace.Drop || err != nil {
		t.Errorf("5 gives %v, %v", verdict, err)
	}
}

func TestWhatIsNoReadingFailsWithTheReason(t *testing.T) {
	for value, want := range map[string]string{
		`{"celsius":"hot"}`: "a reading has a number in celsius",
		`{"celsius":null}`:  "a reading has a number in celsius",
		`null`:              "a reading has a number in celsius",
		`hot`:               "invalid character 'h' looking for beginning of value",
	} {
		if _, err := judge(t, "", value); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
}

func TestAConfigurationThatIsNoTemperatureRefusesThePlugin(t *testing.T) {
	for _, config := range []string{"warm", "NaN", "inf", "1e999"} {
		if _, err := newPlugin(config); err == nil || err.Error() != "the configuration is no temperature: "+config {
			t.Errorf("%s: got %v", config, err)
		}
	}
}
