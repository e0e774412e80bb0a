// The JSON that a transform wrote, {"sensor":"a1","celsius":21.5}, to lines like
// `celsius=21.5 sensor=a1`.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"millrace"
	"millrace/serializer"
)

type plugin struct{}

// newPlugin is called once, at the start. An error refuses the plugin.
func newPlugin(config string) (*plugin, error) {
	if config != "" {
		return nil, fmt.Errorf("there is nothing to configure, and this was given: %s", config)
	}
	return &plugin{}, nil
}

// Serialize is called for each payload. An error rejects its record alone, and says why.
func (*plugin) Serialize(payload []byte, _ millrace.Place) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, err
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text := string(fields[name])
		switch text[0] {
		case '{', '[':
			return nil, fmt.Errorf("%s holds more than one value", name)
		case '"':
			if err := json.Unmarshal(fields[name], &text); err != nil {
				return nil, err
			}
		}
		pair := name + "=" + text
		if strings.ContainsFunc(pair, unicode.IsSpace) {
			return nil, fmt.Errorf("%s has a space in it", name)
		}
		pairs = append(pairs, pair)
	}
	return []byte(strings.Join(pairs, " ")), nil
}

func init() { serializer.Register(newPlugin) }

func main() {}
