package run_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"millrace/internal/run"
)

func TestAPanicIsItsRecordsAlone(t *testing.T) {
	got := make([]string, 4)
	judge := func(i int) {
		if i%2 == 1 {
			panic(errors.New("odd"))
		}
		got[i] = "even"
	}
	run.Each(len(got), judge, func(i int, text string) {
		got[i], _, _ = strings.Cut(text, "\n")
	})
	if want := []string{"even", "panic: odd", "even", "panic: odd"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func inner(numbers []int) int { return numbers[3] }

func outer() { inner(nil) }

func text(f func()) (text string) {
	run.Each(1, func(int) { f() }, func(_ int, panicked string) { text = panicked })
	return text
}

func TestAPanicNamesTheFunctionsThatItWasIn(t *testing.T) {
	lines := strings.Split(text(outer), "\n")
	if want := "panic: runtime error: index out of range [3] with length 0"; lines[0] != want {
		t.Errorf("got %s, want %s", lines[0], want)
	}
	for i, want := range []string{"inner (run_test.go:", "outer (run_test.go:"} {
		if len(lines) < 3 || !strings.HasPrefix(lines[i+1], "  at millrace/internal/run_test."+want) {
			t.Fatalf("got %q, want %s in line %d", lines, want, i+1)
		}
	}
	if last := lines[len(lines)-1]; strings.Contains(last, "run.Each") || strings.Contains(last, "testing") {
		t.Errorf("it ends with %s", last)
	}
}

type failing struct{}

func (*failing) Error() string { panic("again") }

func TestAPanicHasNoAddresses(t *testing.T) {
	for value, want := range map[any]string{
		"text": "text", 7: "7", new(int): "(*int)", struct{}{}: "(struct {})",
		new(failing): "(*run_test.failing)", "a\xff": "a\uFFFD",
	} {
		if got, _, _ := strings.Cut(text(func() { panic(value) }), "\n"); got != "panic: "+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func deep(n int) {
	if n == 0 {
		panic(strings.Repeat("long ", 1000))
	}
	deep(n - 1)
}

func TestAPanicFitsIntoAReason(t *testing.T) {
	if got := text(func() { deep(100) }); len(got) > 2048 || !strings.Contains(got, "  at ") {
		t.Errorf("it has %d bytes: %s", len(got), got)
	}
}

func TestAConstructorsPanicIsAnError(t *testing.T) {
	err := run.Init(func() error { panic("no") })
	if err == nil || !strings.HasPrefix(err.Error(), "panic: no") {
		t.Errorf("got %v", err)
	}
	if err := run.Init(func() error { return errors.New("why") }); err.Error() != "why" {
		t.Errorf("got %v", err)
	}
	if err := run.Init(func() error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
}
