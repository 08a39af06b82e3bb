package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// one finding of a check must fail and say why.
func wantBad(t *testing.T, all []Finding, what, why string) {
	t.Helper()
	for _, f := range all {
		if f.Level == LevelFail && f.What == what && strings.Contains(f.Text, why) {
			return
		}
	}
	t.Errorf("no failure of %s with %q: %v", what, why, all)
}

func TestCheckArchive(t *testing.T) {
	// A server that takes the connection and says nothing.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := newCheckup(t, map[string]string{"MYSQL_DSN": "u:c4n4ry@tcp(" + ln.Addr().String() + ")/stats"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	all := c.archive(ctx)
	wantBad(t, all, "MYSQL_DSN", "cannot use the archive")
	if strings.Contains(all[0].Text, "c4n4ry") {
		t.Errorf("the password is shown: %s", all[0].Text)
	}

	dir := t.TempDir()
	c = newCheckup(t, map[string]string{"DATA_DIR": dir})
	if all := c.archive(t.Context()); len(all) != 1 || all[0].Level != LevelOK {
		t.Errorf("there is none yet: %v", all)
	}
	if err := os.WriteFile(filepath.Join(dir, "archive.db"), []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantBad(t, c.archive(t.Context()), "archive", "cannot read")
}

// A look that hangs is given up, and the next ones are made.
func TestCheckGivesUp(t *testing.T) {
	c := newCheckup(t, nil)
	c.limit = 10 * time.Millisecond
	hang := make(chan struct{})
	defer close(hang)
	wantBad(t, c.within(t.Context(), func(*Checkup, context.Context) []Finding { <-hang; return nil }), "check", "did not end")
	if all := c.within(t.Context(), (*Checkup).timezone); len(all) != 1 || all[0].Level != LevelOK {
		t.Errorf("%v", all)
	}
}

func TestCheckUnknownTZ(t *testing.T) {
	t.Setenv("TZ", "CST-8")
	wantBad(t, newCheckup(t, map[string]string{"TIMEZONE": "Local"}).timezone(t.Context()), "TIMEZONE", "TZ=CST-8")
	if all := newCheckup(t, map[string]string{"TIMEZONE": "Asia/Shanghai"}).timezone(t.Context()); all[0].Level != LevelOK {
		t.Errorf("%v", all)
	}
	t.Setenv("TZ", "Asia/Shanghai")
	if all := newCheckup(t, map[string]string{"TIMEZONE": "Local"}).timezone(t.Context()); all[0].Level != LevelOK {
		t.Errorf("%v", all)
	}
}
