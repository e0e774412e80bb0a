package call

import (
	"slices"
	"testing"
)

func TestWhatIsDoneBetweenCallsWaitsForTheNextOne(t *testing.T) {
	var done []string
	do := func(what string) { Do(func() { done = append(done, what) }) }
	do("before")
	if len(done) != 0 {
		t.Errorf("done before the first call: %q", done)
	}
	Begin()
	do("in")
	End()
	do("between 1")
	do("between 2")
	if want := []string{"before", "in"}; !slices.Equal(done, want) {
		t.Errorf("got %q, want %q", done, want)
	}
	Begin()
	End()
	if want := []string{"before", "in", "between 1", "between 2"}; !slices.Equal(done, want) {
		t.Errorf("got %q, want %q", done, want)
	}
}
