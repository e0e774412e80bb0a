package main

import (
	"regexp"
	"testing"

	"millrace"
)

func newTest(t *testing.T, config string) *plugin {
	t.Helper()
	t.Setenv(secretName, "a secret")
	p, err := newPlugin(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPseudonymIsTheSameForTheSameValueAndAnotherWithAnotherSecret(t *testing.T) {
	p := newTest(t, `{"key":true}`)
	one := p.pseudonym([]byte("c1"))
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(one) {
		t.Errorf("it is %s", one)
	}
	if p.pseudonym([]byte("c1")) != one || p.pseudonym([]byte("c2")) == one {
		t.Error("it is no function of the value")
	}
	t.Setenv(secretName, "another")
	other, err := newPlugin(`{"key":true}`)
	if err != nil || other.pseudonym([]byte("c1")) == one {
		t.Errorf("it does not depend on the secret: %v", err)
	}
}

func TestTheKeyAndAFieldOfTheSameTextShareTheirPseudonym(t *testing.T) {
	p := newTest(t, `{"key":true,"pseudonyms":["customer"]}`)
	message := &millrace.Message{Key: []byte("é"), Value: []byte(`{"customer":"\u00e9"}`)}
	verdict, err := p.Transform(message, millrace.Source{})
	if err != nil {
		t.Fatal(err)
	}
	out := verdict.(*millrace.Output)
	if got, want := string(out.Value.Bytes()), `{"customer":"`+string(out.Key.Bytes())+`"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsNotNamedStaysAsItWas(t *testing.T) {
	p := newTest(t, `{"networks":["client.ip","ip"]}`)
	for value, want := range map[string]string{
		`{"ip":"192.0.2.17","n":1.10,"html":"<b>"}`:    `{"html":"<b>","ip":"192.0.2.0/24","n":1.10}`,
		`{"client":{"ip":"2001:db8:1:2::3","port":1}}`: `{"client":{"ip":"2001:db8:1::/48","port":1}}`,
		`{"ip":"::ffff:192.0.2.17"}`:                   `{"ip":"192.0.2.0/24"}`,
		`{"ip":null, "client":null}`:                   `{"client":null,"ip":null}`,
		`{"ip":"192.0.2.17","ip":null}`:                `{"ip":null}`,
		`{"client":{"ip":"192.0.2.17"},"client":null}`: `{"client":null}`,
		`{"n": 12345678901234567890}`:                  `{"n": 12345678901234567890}`,
	} {
		if got, err := p.clean([]byte(value)); string(got) != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", value, got, err, want)
		}
	}
}

func TestATombstoneStaysOne(t *testing.T) {
	verdict, err := newTest(t, `{"key":true}`).Transform(&millrace.Message{Key: []byte("c1")}, millrace.Source{})
	if err != nil || !verdict.(*millrace.Output).Value.IsSource() {
		t.Errorf("got %v, %v", verdict, err)
	}
}

func TestReasonsNameTheFieldAndNotItsValue(t *testing.T) {
	p := newTest(t, `{"pseudonyms":["customer","contact.email"],"networks":["ip"]}`)
	for value, want := range map[string]string{
		`hello`:                    "the value is no JSON object",
		`["secret"]`:               "the value is no JSON object",
		`{"customer":["secret"]}`:  "customer holds more than one value",
		`{"contact":"secret"}`:     "contact is no object",
		`{"contact":{"email":{}}}`: "contact.email holds more than one value",
		`{"ip":"secret"}`:          "ip is no IP address",
		`{"ip":""}`:                "ip is no IP address",
	} {
		if _, err := p.clean([]byte(value)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
}

func TestWithoutASecretOrAnythingToDoThePluginIsRefused(t *testing.T) {
	t.Setenv(secretName, "")
	if _, err := newPlugin(`{"key":true}`); err == nil {
		t.Error("it needs no secret")
	}
	t.Setenv(secretName, "a secret")
	for _, config := range []string{"", "{}", `{"pseudonym":["a"]}`, `{"key":1}`} {
		if _, err := newPlugin(config); err == nil {
			t.Errorf("%s is taken", config)
		}
	}
}
