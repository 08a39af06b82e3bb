package people

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/queryapi"
)

func openArchive(t *testing.T) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), "", filepath.Join(t.TempDir(), "archive.db"), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestRegister(t *testing.T) {
	a := openArchive(t)
	now := time.Now()
	r := NewRegister(func() (*archive.Archive, error) { return a, nil }, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	give := func(g Grant) (archive.Token, string) {
		t.Helper()
		tok, secret, err := New(g)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.AddToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		return tok, secret
	}
	viewer, secret := give(Grant{Name: "anna", Role: "view", Sites: []string{"a.example", "b.example"}})
	link, linkSecret := give(Grant{Name: "link", Role: "view", Sites: []string{"a.example"}, Share: true, Password: "pass word", rounds: 1000, Ends: now.Add(time.Hour)})
	if r.Person([]byte(secret)) != nil {
		t.Error("known before it was learned")
	}
	learn := func() {
		t.Helper()
		if err := r.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	learn()
	p := r.Person([]byte(secret))
	if p == nil || p.ID != viewer.ID || p.Name != "anna" || p.Role != queryapi.RoleView || !p.Sees("b.example") || p.Sees("c.example") || p.Password {
		t.Fatalf("person %+v", p)
	}
	for _, wrong := range []string{"", "x", secret + "x", secret[:len(secret)-1], viewer.Secret, viewer.ID} {
		if r.Person([]byte(wrong)) != nil {
			t.Errorf("%q is somebody's token", wrong)
		}
	}
	if p := r.PersonByID(link.ID); p == nil || !p.Share || !p.Password {
		t.Errorf("link %+v", p)
	}
	for word, want := range map[string]bool{"pass word": true, "": false, "pass": false} {
		if got := r.PasswordIs(link.ID, []byte(word)); got != want {
			t.Errorf("password %q: %v", word, got)
		}
	}
	r.turn <- struct{}{} // somebody guesses
	if !r.PasswordIs(link.ID, []byte("pass word")) {
		t.Error("a password that was right is not known")
	}
	<-r.turn
	if r.PasswordIs(viewer.ID, nil) {
		t.Error("an empty password is right where there is none")
	}
	now = now.Add(time.Hour)
	if r.Person([]byte(linkSecret)) != nil || r.PersonByID(link.ID) != nil || r.PasswordIs(link.ID, []byte("pass word")) {
		t.Error("a link that has ended is in force")
	}
	if _, err := a.RevokeToken(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	learn()
	if r.Person([]byte(secret)) != nil || r.PersonByID(viewer.ID) != nil {
		t.Error("a revoked token is in force")
	}
	if _, err := a.RevokeToken(t.Context(), "anna"); !errors.Is(err, archive.ErrNoToken) {
		t.Errorf("revoked twice: %v", err)
	}
}

// No secret and no password is in what is kept.
func TestSecretsAreHashed(t *testing.T) {
	tok, secret, err := New(Grant{Name: "a", Role: "view", Sites: []string{"a.example"}, Share: true, Password: "pass word", rounds: 1000})
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Join([]string{tok.ID, tok.Name, tok.Secret, tok.Password}, " ")
	if strings.Contains(kept, strings.TrimPrefix(secret, prefix)) || strings.Contains(kept, "pass word") || !strings.HasPrefix(secret, prefix) {
		t.Errorf("%q is kept of %q", kept, secret)
	}
	again, _, err := New(Grant{Name: "a", Role: "view", Sites: []string{"a.example"}, Share: true, Password: "pass word", rounds: 1000})
	if err != nil || again.Password == tok.Password || again.Secret == tok.Secret || again.ID == tok.ID {
		t.Errorf("two tokens are alike: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, g := range map[string]Grant{
		"needs a name":         {Role: "view"},
		"control characters":   {Name: "a\x1bb", Role: "view"},
		`role "owner"`:         {Name: "a", Role: "owner"},
		"a link is to one":     {Name: "a", Role: "view", Share: true},
		"more than 8192 bytes": {Name: "a", Role: "view", Sites: []string{strings.Repeat("a", 9000)}},
	} {
		if _, _, err := New(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", g, err, want)
		}
	}
}

// What the archive cannot note is told as such.
func TestNoteWithoutArchive(t *testing.T) {
	r := NewRegister(func() (*archive.Archive, error) { return nil, errors.New("it is away") }, time.Now, slog.New(slog.DiscardHandler))
	if err := r.Note(t.Context(), nil, "set base", "a.example", ""); !errors.Is(err, queryapi.ErrArchiveAway) {
		t.Error(err)
	}
	if err := r.Learn(t.Context()); err == nil {
		t.Error("learned from nothing")
	}
}
