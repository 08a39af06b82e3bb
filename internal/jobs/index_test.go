package jobs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/vault"
)

// TestUnindex: what is in page_counts of a site gets 0 in the search index, other fields of a
// document stay, and no document is made.
func TestUnindex(t *testing.T) {
	docs := map[string]map[string]any{"a.example/x": {"views": 40.0, "bot_views": 7.0, "title": "an article"}, "b.example/x": {"views": 9.0}}
	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var items []string
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			var action struct {
				Update struct {
					ID string `json:"_id"`
				}
			}
			if err := json.Unmarshal(lines.Bytes(), &action); err != nil || !lines.Scan() {
				t.Errorf("bulk: %v", err)
			}
			var change struct {
				Doc    map[string]any
				Upsert map[string]any
			}
			if err := json.Unmarshal(lines.Bytes(), &change); err != nil || change.Upsert != nil {
				t.Errorf("bulk: %s, %v", lines.Text(), err)
			}
			doc := docs[action.Update.ID]
			for name, value := range change.Doc {
				if doc != nil {
					doc[name] = value
				}
			}
			items = append(items, `{"update":{"status":`+map[bool]string{true: `200}}`, false: `404,"error":{"type":"document_missing_exception"}}}`}[doc != nil])
		}
		if _, err := io.WriteString(w, `{"items":[`+strings.Join(items, ",")+`]}`); err != nil {
			t.Error(err)
		}
	}))
	defer index.Close()
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": t.TempDir(), "SECRET": "secret", "ES_URL": index.URL}, "")
	v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := v.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetBaselines(t.Context(), []archive.Baseline{{Source: "old", Site: "a.example", Page: "/x", PV: 5}, {Source: "old", Site: "a.example", Page: "/y", PV: 5}, {Source: "old", Site: "b.example", Page: "/x", PV: 5}}); err != nil {
		t.Fatal(err)
	}
	pages, err := IndexedPages(t.Context(), v, "a.example")
	if err != nil || len(pages) != 2 {
		t.Fatalf("%v, %v", pages, err)
	}
	if err := Unindex(t.Context(), v, "a.example", pages); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(docs); got != "map[a.example/x:map[bot_views:0 title:an article views:0] b.example/x:map[views:9]]" {
		t.Error(got)
	}
	index.Close()
	if err := Unindex(t.Context(), v, "a.example", nil); err != nil {
		t.Errorf("nothing to be said to an index that is away: %v", err)
	}
}
