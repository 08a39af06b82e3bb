package vault

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"ddkk-stats/internal/config"
)

// safe is a keeper of secrets that may be away, or take nothing.
type safe struct {
	has        string
	away, full bool
}

func (s *safe) keeper(name string) secretKeeper {
	return secretKeeper{name, func(_ context.Context, mine string) (string, error) {
		switch {
		case s.away:
			return "", errors.New("it is away")
		case s.has == "" && mine != "" && s.full:
			return "", errors.New("OOM command not allowed")
		case s.has == "":
			s.has = mine
		}
		return s.has, nil
	}}
}

// A secret is made only where everybody says that there is none, and never replaced
// because somebody cannot be asked or takes nothing at the moment.
func TestVisitorSecret(t *testing.T) {
	for name, x := range map[string]struct {
		file           string
		redis, archive safe
		want           string // "": there must be a wait; "new": one is made
	}{
		"nobody has one":                         {want: "new"},
		"Redis has it":                           {redis: safe{has: "r"}, archive: safe{has: "a"}, file: "f", want: "r"},
		"Redis has it, the archive is away":      {redis: safe{has: "r"}, archive: safe{away: true}, want: "r"},
		"Redis has it and is full":               {redis: safe{has: "r", full: true}, want: "r"},
		"only the folder has it":                 {file: "f", want: "f"},
		"the folder has it, the archive is away": {file: "f", archive: safe{away: true}, want: "f"},
		"the folder has it, Redis is away":       {file: "f", redis: safe{away: true}},
		"the folder has it, Redis is full":       {file: "f", redis: safe{full: true}},
		"only the archive has it":                {archive: safe{has: "a"}, want: "a"},
		"only the archive has it, Redis is full": {archive: safe{has: "a"}, redis: safe{full: true}},
		"the archive may have it":                {archive: safe{away: true}},
		"nobody has one, Redis is full":          {redis: safe{full: true}},
		"the archive has it, Redis is away":      {archive: safe{has: "a"}, redis: safe{away: true}},
	} {
		cfg := &config.Config{DataDir: t.TempDir()}
		path := filepath.Join(cfg.DataDir, "secret")
		if x.file != "" {
			if err := os.WriteFile(path, []byte(x.file+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		archived := x.archive.has
		got, err := visitorSecret(t.Context(), cfg, slog.New(slog.DiscardHandler), x.redis.keeper(WhereRedis), x.archive.keeper(WhereArchive))
		var wait *WaitError
		switch {
		case x.want == "" && !errors.As(err, &wait):
			t.Errorf("%s: %q, %v; want a wait", name, got, err)
		case x.want == "" && (x.redis.has != "" || x.archive.has != archived):
			t.Errorf("%s: while it waits a secret was written: %+v, %+v", name, x.redis, x.archive)
		case x.want == "new" && (err != nil || len(got) != 64 || x.redis.has != string(got) || x.archive.has != string(got)):
			t.Errorf("%s: %q, %v; %+v, %+v", name, got, err, x.redis, x.archive)
		case x.want != "" && x.want != "new" && (string(got) != x.want || err != nil):
			t.Errorf("%s: %q, %v; want %q", name, got, err, x.want)
		}
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if want := string(got) + "\n"; x.want != "" && string(b) != want {
			t.Errorf("%s: the folder has %q, want %q", name, b, want)
		} else if x.want == "" && x.file != "" && string(b) != x.file+"\n" {
			t.Errorf("%s: the folder's was replaced by %q", name, b)
		}
	}
}
