package verify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// text is a segment in memory.
type text struct {
	name string
	data []byte
}

func (s text) ID() string   { return s.name }
func (s text) Name() string { return s.name }
func (s text) Live() bool   { return false }
func (s text) Open(_ context.Context, from int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.data[from:])), nil
}

// TestGroups gives the same report whether memory is enough for all sites at
// once or for one, and finds what Redis lacks.
func TestGroups(t *testing.T) {
	now := time.Now().UTC()
	var all bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&all, "v1\t%d.000\t%032x\t203.0.113.%d\tc\tGET\t200\t/event.png?site=s%d.example&page=/%d\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
			now.Unix(), i, i%250, i%4, i%7)
	}
	all.WriteString("no line\ntorn")
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() {
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	})
	keys := counter.NewKeys("ddkk", false)
	for i := range 3 { // and one that Redis does not know
		site := fmt.Sprintf("s%d.example", i)
		server.HSet(keys.Checkpoint(site), "epoch", "1", "one", fmt.Sprint(all.Len()-len("torn")), "gone", "7")
		if _, err := server.SetAdd(keys.Sites(), site); err != nil {
			t.Fatal(err)
		}
	}
	a, err := archive.Open(t.Context(), "", filepath.Join(t.TempDir(), "archive.db"), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	run := func(remembered int) string {
		p, err := parser.New(parser.Config{Secret: []byte("s"), Location: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		v := New(Options{
			Archive: a, Dump: counter.NewDump(rdb, keys), Keys: keys, Location: time.UTC, MaxPages: 100, MaxEvents: 100,
			IDWindow: time.Minute, UVSetTTL: 72 * time.Hour, Remembered: remembered,
			Logs: []Log{{Parser: p, List: func(context.Context) ([]Segment, error) { return []Segment{text{"one", all.Bytes()}}, nil }}},
		})
		r, err := v.Run(t.Context(), Scope{})
		if err != nil {
			t.Fatal(err)
		}
		r.Seconds = 0
		for _, s := range r.Sites {
			s.Shown = nil // in any order
		}
		var out strings.Builder
		if err := r.Write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	whole := run(0)
	for _, want := range []string{
		"402 lines = 300 human + 0 bot + 0 deduplicated + 0 skipped + 1 malformed (version 1) + 1 torn + 100 not counted yet\n",
		"cannot be verified: segment gone was counted up to 7", "s0.example: 58 numbers", "3 sites, 156 differences, 3 problems",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("the report has no %q:\n%s", want, whole)
		}
	}
	if parts := run(1); parts != whole {
		t.Errorf("site by site it is\n%s\nand together\n%s", parts, whole)
	}
}
