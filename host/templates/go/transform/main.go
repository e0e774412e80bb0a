// Readings of sensors, as JSON: {"sensor":"a1","celsius":21.5} gets its fahrenheit. The
// plugin's configuration is the least temperature that goes on (none: all do).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"millrace"
	"millrace/transform"
)

type plugin struct {
	least float64
}

// newPlugin is called once, at the start. An error refuses the plugin.
func newPlugin(config string) (*plugin, error) {
	if config == "" {
		return &plugin{least: math.Inf(-1)}, nil
	}
	least, err := strconv.ParseFloat(config, 64)
	if err != nil || math.IsNaN(least) || math.IsInf(least, 0) {
		return nil, fmt.Errorf("the configuration is no temperature: %s", config)
	}
	return &plugin{least}, nil
}

// Transform is called for each record. An error rejects this one alone, and says why.
func (p *plugin) Transform(m *millrace.Message, _ millrace.Source) (millrace.Verdict, error) {
	value, err := m.ValueBytes()
	if err != nil {
		return nil, err
	}
	var reading map[string]json.RawMessage // As they came: no digit of a number is lost.
	if err := json.Unmarshal(value, &reading); err != nil {
		return nil, err
	}
	var celsius *float64
	if err := json.Unmarshal(reading["celsius"], &celsius); err != nil || celsius == nil {
		return nil, errors.New("a reading has a number in celsius")
	}
	if *celsius < p.least {
		return millrace.Drop, nil
	}
	if reading["fahrenheit"], err = json.Marshal(*celsius*1.8 + 32); err != nil {
		return nil, err
	}
	if value, err = json.Marshal(reading); err != nil {
		return nil, err
	}
	return millrace.Value(value), nil
}

func init() { transform.Register(newPlugin) }

func main() {}
