// Package call knows whether a call of the host's runs. Only then may the host be called:
// goroutines run, too, while it asks for the room of a call's arguments, and a call would be
// a trap there.
package call

var (
	runs    bool
	waiting []func()
)

// Do calls f now, or as soon as the next call begins.
func Do(f func()) {
	if runs {
		f()
	} else {
		waiting = append(waiting, f)
	}
}

// Begin is for the start of each exported function, End for its end.
func Begin() {
	runs = true
	waited := waiting
	waiting = nil
	for _, f := range waited {
		f()
	}
}

// End is the end of the call.
func End() { runs = false }
