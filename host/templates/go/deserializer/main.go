// Lines like `sensor=a1 celsius=21.5` to the JSON that a transform reads:
// {"celsius":"21.5","sensor":"a1"}.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"millrace"
	"millrace/deserializer"
)

type plugin struct{}

// newPlugin is called once, at the start. An error refuses the plugin.
func newPlugin(config string) (*plugin, error) {
	if config != "" {
		return nil, fmt.Errorf("there is nothing to configure, and this was given: %s", config)
	}
	return &plugin{}, nil
}

// Deserialize is called for each payload. An error rejects its record alone, and says why.
func (*plugin) Deserialize(payload []byte, _ millrace.Place) ([]byte, error) {
	if !utf8.Valid(payload) {
		return nil, errors.New("the line is not UTF-8")
	}
	fields := map[string]string{}
	for _, pair := range strings.Fields(string(payload)) {
		name, value, is := strings.Cut(pair, "=")
		if !is {
			return nil, fmt.Errorf("there is no = in %q", pair)
		}
		fields[name] = value
	}
	return json.Marshal(fields)
}

func init() { deserializer.Register(newPlugin) }

func main() {}
