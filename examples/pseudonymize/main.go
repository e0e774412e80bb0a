// Takes the people out of JSON records, and leaves what statistics need: named fields become
// pseudonyms, the same for the same value, so that records can still be counted and joined by
// them; IP addresses become their networks.
//
// A pseudonym is an HMAC of the value: without the secret nobody finds out whose it is, nor
// by trying all customers in turn. The secret is the environment's PSEUDONYM_KEY, so that no
// pipeline file has it.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"os"
	"strings"

	"millrace"
	"millrace/transform"
)

// secretName is the variable that --allow env:NAME must let in.
const secretName = "PSEUDONYM_KEY"

// settings are the plugin's configuration, as JSON. A field of an object in a field is
// `customer.email`.
type settings struct {
	// Pseudonyms are the fields that become one.
	Pseudonyms []string `json:"pseudonyms"`
	// Networks are the fields whose IP address becomes its network: /24, or /48 of IPv6.
	Networks []string `json:"networks"`
	// Key says whether the record's key becomes a pseudonym, too.
	Key bool `json:"key"`
}

type plugin struct {
	settings
	mac hash.Hash
}

func newPlugin(config string) (*plugin, error) {
	secret := os.Getenv(secretName)
	if secret == "" {
		return nil, fmt.Errorf("set %s, and run with --allow env:%[1]s", secretName)
	}
	p := &plugin{mac: hmac.New(sha256.New, []byte(secret))}
	decoder := json.NewDecoder(strings.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p.settings); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	if len(p.Pseudonyms)+len(p.Networks) == 0 && !p.Key {
		return nil, errors.New("the configuration names nothing to take out")
	}
	return p, nil
}

func init() { transform.Register(newPlugin) }

func main() {}

// Transform is called for each record. Reasons have no value in them: they are logged.
func (p *plugin) Transform(m *millrace.Message, _ millrace.Source) (millrace.Verdict, error) {
	out := &millrace.Output{}
	if m.Value != nil {
		value, err := p.clean(m.Value)
		if err != nil {
			return nil, err
		}
		out.WithValue(value)
	}
	if p.Key && m.Key != nil {
		out.WithKey([]byte(p.pseudonym(m.Key)))
	}
	return out, nil
}

func (p *plugin) clean(value json.RawMessage) (_ json.RawMessage, err error) {
	for _, field := range p.Pseudonyms {
		if value, err = replace(value, "", field, p.pseudonymOf); err != nil {
			return nil, err
		}
	}
	for _, field := range p.Networks {
		if value, err = replace(value, "", field, networkOf); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// replace has the field of this path replaced, where there is one that is not null. The rest
// stays as it was, but for the order of an object's fields. Above is where the value is.
func replace(value json.RawMessage, above, path string, by func(json.RawMessage) (string, error)) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		if above == "" {
			return nil, errors.New("the value is no JSON object")
		}
		return nil, fmt.Errorf("%s is no object", above)
	}
	name, below, deeper := strings.Cut(path, ".")
	field, is := fields[name]
	if !is {
		return value, nil
	}
	if string(field) == "null" {
		// Anew: a field of the same name before it has no part in what is read.
		return encode(fields)
	}
	here := strings.TrimPrefix(above+"."+name, ".")
	var err error
	if deeper {
		fields[name], err = replace(field, here, below, by)
	} else {
		var text string
		if text, err = by(field); err != nil {
			return nil, fmt.Errorf("%s %w", here, err)
		}
		fields[name], err = encode(text)
	}
	if err != nil {
		return nil, err
	}
	return encode(fields)
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(value any) (json.RawMessage, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

func (p *plugin) pseudonymOf(field json.RawMessage) (string, error) {
	switch field[0] {
	case '{', '[':
		return "", errors.New("holds more than one value")
	case '"': // Its text, so that it is the same however it is written, and as a key.
		var text string
		err := json.Unmarshal(field, &text)
		return p.pseudonym([]byte(text)), err
	}
	return p.pseudonym(field), nil
}

// pseudonym has 128 bits of the HMAC, enough that no two values share one.
func (p *plugin) pseudonym(value []byte) string {
	p.mac.Reset()
	p.mac.Write(value)
	return base64.RawURLEncoding.EncodeToString(p.mac.Sum(nil)[:16])
}

func networkOf(field json.RawMessage) (string, error) {
	var address netip.Addr
	if json.Unmarshal(field, &address) != nil || !address.IsValid() {
		return "", errors.New("is no IP address")
	}
	address = address.Unmap().WithZone("")
	bits := 24
	if address.Is6() {
		bits = 48
	}
	network, err := address.Prefix(bits)
	return network.String(), err
}
