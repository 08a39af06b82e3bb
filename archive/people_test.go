package archive

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		viewer := Token{ID: "00000000000000aa", Name: "Añna", Secret: "ab", Role: "view", Sites: []string{"a.example", "b.example"}}
		link := Token{ID: "00000000000000bb", Name: "link", Secret: "cd", Role: "view", Sites: []string{"a.example"}, Share: true, Password: "x", Ends: now.Add(time.Hour)}
		admin := Token{ID: "00000000000000cc", Name: "admin", Secret: "ef", Role: "admin"}
		for _, x := range []Token{viewer, link, admin} {
			check(t, a.AddToken(t.Context(), x))
		}
		all, err := a.Tokens(t.Context())
		check(t, err)
		for i, want := range []Token{viewer, link, admin} {
			got := all[i]
			if !got.Made.Equal(now) || !got.Ends.Equal(want.Ends) || !got.Revoked.IsZero() || !slices.Equal(got.Sites, want.Sites) ||
				got.ID != want.ID || got.Name != want.Name || got.Secret != want.Secret || got.Role != want.Role || got.Share != want.Share || got.Password != want.Password {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		twin := viewer
		twin.ID, twin.Secret = "00000000000000dd", "gh"
		if err := a.AddToken(t.Context(), twin); !errors.Is(err, ErrTokenExists) {
			t.Errorf("a second of the name: %v", err)
		}
		gone, err := a.RevokeToken(t.Context(), viewer.ID)
		check(t, err)
		if gone.Name != viewer.Name || !gone.Revoked.Equal(now) {
			t.Errorf("revoked %+v", gone)
		}
		if _, err := a.RevokeToken(t.Context(), viewer.Name); !errors.Is(err, ErrNoToken) {
			t.Errorf("revoked again: %v", err)
		}
		check(t, a.AddToken(t.Context(), twin)) // the name is free
		if all, err = a.Tokens(t.Context()); err != nil || len(all) != 4 {
			t.Fatalf("%v, %d tokens", err, len(all))
		}
	})
}

func TestAuditLog(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		for i, site := range []string{"a.example", "b.example", "", "a.example"} {
			check(t, a.Audit(t.Context(), AuditEntry{Who: "owner", What: "set base", Site: site, Detail: string(rune('0' + i))}))
		}
		for _, q := range []struct {
			site  string
			limit int
			want  string
		}{{"", 10, "0123"}, {"", 2, "23"}, {"a.example", 10, "03"}, {"a.example", 1, "3"}, {"c.example", 10, ""}} {
			all, err := a.AuditLog(t.Context(), q.site, q.limit)
			check(t, err)
			got := ""
			for _, e := range all {
				if !e.At.Equal(now) || e.Who != "owner" || e.What != "set base" {
					t.Errorf("%+v", e)
				}
				got += e.Detail
			}
			if got != q.want {
				t.Errorf("%q, %d: %s, want %s", q.site, q.limit, got, q.want)
			}
		}
	})
}
