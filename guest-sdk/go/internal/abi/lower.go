package abi

import (
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"millrace"
	"millrace/internal/run"
)

// Results is what a call returns, alive until the next one: the host has read it by then.
type Results struct {
	area     optionList
	verdicts []verdict
	outputs  []output
	headers  []header
	results  []optionList
	alive    any
	error    string
}

// Init is the result<_, string> of an interface's init.
func (r *Results) Init(err error) uint32 {
	*r = Results{}
	if err != nil {
		r.error = valid(err.Error())
		r.area = optionList{kind: resultError, list: text(r.error)}
	}
	return address(unsafe.Pointer(&r.area))
}

// Verdicts is a list<verdict>.
func (r *Results) Verdicts(verdicts []millrace.Verdict) uint32 {
	outputs, headers := 0, 0
	for i, v := range verdicts {
		switch v := v.(type) {
		case *millrace.Output:
			if wrong := check(v); wrong != "" {
				verdicts[i] = wrong
			} else {
				headers += len(v.Headers)
			}
		case millrace.Expand:
			before := headers
			for _, o := range v {
				if wrong := check(o); wrong != "" {
					verdicts[i], headers = wrong, before
					break
				}
				headers += len(o.Headers)
			}
			if _, is := verdicts[i].(millrace.Expand); is {
				outputs += len(v)
			}
		case millrace.Fail:
			if !utf8.ValidString(string(v)) {
				verdicts[i] = millrace.Fail(valid(string(v)))
			}
		case nil:
			verdicts[i] = millrace.Fail("the plugin gave no verdict: nil")
		default:
			if v != millrace.Forward && v != millrace.Drop {
				verdicts[i] = millrace.Fail(fmt.Sprintf("the plugin gave no verdict: a %T", v))
			}
		}
	}
	*r = Results{
		verdicts: make([]verdict, len(verdicts)),
		outputs:  make([]output, 0, outputs),
		headers:  make([]header, 0, headers),
		alive:    verdicts,
	}
	for i, v := range verdicts {
		to := &r.verdicts[i]
		held := (*list)(unsafe.Pointer(&to.output)) // By expand and fail.
		switch v := v.(type) {
		case *millrace.Output:
			to.kind = verdictReplace
			r.output(&to.output, v)
		case millrace.Expand:
			to.kind = verdictExpand
			start := len(r.outputs)
			r.outputs = r.outputs[:start+len(v)]
			own := r.outputs[start:]
			for i, o := range v {
				r.output(&own[i], o)
			}
			*held = listOf(own)
		case millrace.Fail:
			to.kind = verdictFail
			*held = text(string(v))
		default:
			to.kind = verdictForward
			if v == millrace.Drop {
				to.kind = verdictDrop
			}
		}
	}
	return r.list(listOf(r.verdicts))
}

// Payloads is a list<result<list<u8>, string>>.
func (r *Results) Payloads(results []millrace.Result) uint32 {
	*r = Results{results: make([]optionList, len(results))}
	errors := make([]string, len(results))
	fail := func(i int, why string) {
		errors[i] = why
		r.results[i] = optionList{kind: resultError, list: text(why)}
	}
	run.Each(len(results), func(i int) {
		if err := results[i].Err; err != nil {
			fail(i, valid(err.Error())) // The plugin's code: it may panic.
		} else {
			r.results[i] = optionList{kind: resultOk, list: listOf(results[i].Bytes)}
		}
	}, fail)
	r.alive = [2]any{results, errors}
	return r.list(listOf(r.results))
}

func (r *Results) list(l list) uint32 {
	r.area.list = l
	return address(unsafe.Pointer(&r.area.list))
}

func (r *Results) output(to *output, from *millrace.Output) {
	if from.Topic != nil {
		to.topic = optionList{kind: some, list: text(*from.Topic)}
	}
	if from.Partition != nil {
		to.partition = optionInt32{kind: some, value: *from.Partition}
	}
	if from.Timestamp != nil {
		to.timestamp = timestamp{kind: some, millis: *from.Timestamp}
	}
	to.key = payload(from.Key)
	to.value = payload(from.Value)
	switch {
	case from.OnlyHeaders:
		to.headers.kind = headersOnly
	case from.Headers != nil:
		to.headers.kind = headersAppend
	}
	start := len(r.headers)
	for _, h := range from.Headers {
		to := header{name: text(h.Name)}
		if h.Value != nil {
			to.value = optionList{kind: some, list: listOf(h.Value)}
		}
		r.headers = append(r.headers, to)
	}
	to.headers.list = listOf(r.headers[start:])
}

func payload(p millrace.Payload) optionList {
	switch {
	case p.IsSource():
		return optionList{kind: payloadSource}
	case p.IsNull():
		return optionList{kind: payloadNull}
	default:
		return optionList{kind: payloadBytes, list: listOf(p.Bytes())}
	}
}

// check says what the host would not take of an output, which would be the whole plugin's
// fault.
func check(o *millrace.Output) millrace.Fail {
	if o == nil {
		return "the plugin gave an output that is nil"
	}
	if o.Topic != nil && !utf8.ValidString(*o.Topic) {
		return millrace.Fail(fmt.Sprintf("the output's topic is not UTF-8: %q", *o.Topic))
	}
	for i := range o.Headers {
		if name := o.Headers[i].Name; !utf8.ValidString(name) {
			return millrace.Fail(fmt.Sprintf("the name of an output's header is not UTF-8: %q", name))
		}
	}
	return ""
}

func valid(text string) string {
	return strings.ToValidUTF8(text, "\uFFFD")
}

func listOf[T any](elements []T) list {
	if len(elements) == 0 {
		return list{}
	}
	return list{address: address(unsafe.Pointer(unsafe.SliceData(elements))), length: uint32(len(elements))}
}

func text(s string) list {
	if s == "" {
		return list{}
	}
	return list{address: address(unsafe.Pointer(unsafe.StringData(s))), length: uint32(len(s))}
}
