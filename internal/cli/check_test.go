package cli

import (
	"errors"
	"strings"
	"testing"

	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/doctor"
)

func TestReport(t *testing.T) {
	var b strings.Builder
	err := report(&b, []doctor.Finding{doctor.Fine("PORT", "is free"), doctor.Poor("SITES", "is empty; list yours")})
	want := "ok    PORT   is free\nwarn  SITES  is empty; list yours\n1 ok, 1 warn, 0 fail\n"
	if err != nil || b.String() != want {
		t.Errorf("got %q, %v", b.String(), err)
	}
	b.Reset()
	if err := report(&b, []doctor.Finding{doctor.Bad("PORT", "is taken")}); !errors.Is(err, errQuiet) {
		t.Errorf("a failed check: got %v", err)
	}
	if err := report(configtest.BrokenWriter{}, []doctor.Finding{doctor.Fine("a", "b")}); err == nil || errors.Is(err, errQuiet) {
		t.Errorf("a report that could not be written: got %v", err)
	}
}

func TestCheckCommandFailsQuietly(t *testing.T) {
	t.Setenv("PORT", "x")
	var out, errs strings.Builder
	if status := Run("test", []string{"check"}, &out, &errs); status != 1 || errs.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
	if !strings.Contains(out.String(), "fail  PORT") {
		t.Errorf("printed %q", out.String())
	}
}
