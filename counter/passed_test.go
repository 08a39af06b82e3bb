package counter

import (
	"log/slog"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// Lines that the rules of before passed over count by those of now when their site is rebuilt, as by
// undoing a rule: also in a segment where nothing of the site counted, and of a site that was not known.
func TestRebuiltSiteGetsWhatWasPassedOver(t *testing.T) {
	for what, known := range map[string]bool{"a site that counted elsewhere": true, "one of which nothing counted": false} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			switched := make(logged, 1)
			r.opt.Logger = slog.New(slog.NewTextHandler(switched, nil))
			r.start()
			defer r.stop()
			by := func(site string) {
				t.Helper()
				if err := r.in.Apply(Rules{Parsers: []*parser.Parser{rulesFor(t, site)}}); err != nil {
					t.Fatal(err)
				}
				<-switched
			}
			pv := func(site, want string) {
				t.Helper()
				eventually(t, func() bool { return r.rdb.Get(t.Context(), r.opt.Keys.SitePV(site)).Val() == want },
					func() {
						t.Errorf("%s has %q views, want %s", site, r.rdb.Get(t.Context(), r.opt.Keys.SitePV(site)).Val(), want)
					})
			}
			line := func(site string) string {
				return testHit{at: time.Now(), site: site, page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}.line()
			}
			want := "1"
			if known {
				want = "2"
				by("a.example")
				r.log.write("s1", line("a.example"))
				pv("a.example", "1")
			}
			by("b.example")
			r.log.write("s2", line("a.example"), line("b.example"))
			pv("b.example", "1")
			by("a.example")
			b := Rebuilder{Redis: r.rdb, Keys: r.opt.Keys, Logger: slog.New(slog.DiscardHandler)}
			if _, err := b.Rebuild(t.Context(), []string{"a.example"}); err != nil {
				t.Fatal(err)
			}
			pv("a.example", want)
		})
	}
}
