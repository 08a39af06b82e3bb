package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ddkk-stats/internal/mailer/mailtest"
)

// TestReportOnce: a report is due each second; the daemon is killed three times while the
// mail server has it, started again, told to go on, and a second host shares the archive.
// One mail is taken.
func TestReportOnce(t *testing.T) {
	dsn := StartMariaDB(t).Create("stats")
	var kill atomic.Pointer[func()]
	smtp := mailtest.Start(t, mailtest.Options{Refuse: func(mailtest.Mail) string {
		if f := kill.Load(); f != nil {
			(*f)()
			return "451 too late"
		}
		return ""
	}})
	r := newRig(t, rigOptions{env: map[string]string{
		"MYSQL_DSN": dsn, "REPORT_CRON": "* * * * * *", "REPORT_PERIOD": "day", "REPORT_TO": "ddkk.com=anna@a.example", "REPORT_LANG": "zh",
		"SMTP_URL": "smtp://" + smtp.Addr(), "SMTP_FROM": "stats@a.example",
	}})
	for range 3 {
		struck := make(chan struct{})
		var done atomic.Bool
		f := func() {
			if done.CompareAndSwap(false, true) {
				r.daemon.Kill()
				close(struck)
			}
		}
		kill.Store(&f)
		r.daemon.Launch()
		select {
		case <-struck:
		case <-time.After(time.Minute):
			t.Fatalf("no mail was sent:\n%s", r.daemon.Log())
		}
	}
	kill.Store(nil)
	r.daemon.Start()
	r.write(200)
	r.exact()
	Eventually(t, time.Minute, "the report arrives", func() error {
		if n := len(smtp.Mails()); n != 1 {
			return fmt.Errorf("%d mails", n)
		}
		return nil
	})
	other := NewDaemon(t, map[string]string{"REDIS_ADDR": r.proxy.Addr, "ACCESS_LOG": filepath.Join(TempDir(t), "event.log"), "TIMEZONE": "UTC", "MYSQL_DSN": dsn,
		"REPORT_CRON": "* * * * * *", "REPORT_PERIOD": "day", "REPORT_TO": "ddkk.com=anna@a.example,ddkk.com=otto@a.example", "SMTP_URL": "smtp://" + smtp.Addr(), "SMTP_FROM": "stats@a.example"})
	other.Start()
	Eventually(t, time.Minute, "what is the other host's alone arrives", func() error {
		if n := len(smtp.Mails()); n < 2 {
			return fmt.Errorf("%d mails", n)
		}
		return nil
	})
	r.daemon.Terminate()
	r.daemon.Start()
	mails := smtp.Mails()
	if len(mails) != 2 || mails[0].To != "anna@a.example" || mails[1].To != "otto@a.example" || !strings.Contains(mails[0].Data, "multipart/alternative") {
		t.Errorf("%d mails: %+v", len(mails), mails)
	}

	out := r.command("report", "send", "--dry-run", "--lang", "en")
	if !strings.Contains(out, "To: anna@a.example") || !strings.Contains(out, "Views: 0 (Before: 0, -)") || len(smtp.Mails()) != 2 {
		t.Errorf("dry run: %s", out)
	}
	out = r.command("report", "send", "--to", "olga@a.example", "--period", "week", "--lang", "en")
	if mails = smtp.Mails(); len(mails) != 3 || mails[2].To != "olga@a.example" || !strings.Contains(out, "sent to olga@a.example") {
		t.Errorf("sent by hand: %s; %d mails", out, len(mails))
	}
	if out = r.command("token", "log"); !strings.Contains(out, "report sent") {
		t.Errorf("the audit log lacks it: %s", out)
	}
	file := filepath.Join(TempDir(t), "report.html")
	r.command("report", "--site", "ddkk.com", "--html", file, "--lang", "en")
	page, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(page), "Top pages") || !strings.Contains(string(page), "<!DOCTYPE html>") || !strings.Contains(string(page), fmt.Sprint(r.ledger.PV("ddkk.com"))) {
		t.Errorf("the page: %s", page)
	}
}
