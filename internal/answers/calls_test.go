package answers

import (
	"fmt"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/counter"
)

// TestCallsOfTheOnlySite: where one site alone is counted it need not be named.
func TestCallsOfTheOnlySite(t *testing.T) {
	m := miniredis.RunT(t)
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{m.Addr()}})
	defer func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	}()
	reader, err := counter.NewReader(rdb, counter.NewKeys("ddkk", false), counter.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(set, want string) {
		t.Helper()
		if got := (&Calls{reader: reader, site: set}).Site(t.Context()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("", "")
	for i, want := range []string{"a.example", ""} {
		if _, err := m.SAdd("ddkk:sites", fmt.Sprintf("%c.example", 'a'+i)); err != nil {
			t.Fatal(err)
		}
		f("", want)
		f("set.example", "set.example")
	}
}
