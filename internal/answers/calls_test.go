package answers

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/counter"
)

// callLog writes a quiet segment of calls that were made at noon of a day.
func callLog(t *testing.T, name string, day time.Time, uris ...string) {
	t.Helper()
	var b strings.Builder
	for i, uri := range uris {
		fmt.Fprintf(&b, "v1\t%d.%03d\t%s%028x\t192.0.2.7\tapi.example\tGET\t200\t%s\t-\tcurl/8\t-\t-\t-\t0.020\t43\tend\n",
			day.Add(12*time.Hour).Unix(), i, "abcd", len(name)<<16+i, uri)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
}

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
