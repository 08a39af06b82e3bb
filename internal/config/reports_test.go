package config

import (
	"strings"
	"testing"
)

func TestSMTP(t *testing.T) {
	load := func(env map[string]string) (*Config, error) {
		return Load("", func(n string) (string, bool) { s, ok := env[n]; return s, ok })
	}
	f := func(url string, want SMTP) {
		t.Helper()
		c := &Config{}
		if err := parseSMTP(c, url); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		c.SMTP.TLS = nil
		if c.SMTP != want {
			t.Errorf("%s: %+v, want %+v", url, c.SMTP, want)
		}
	}
	f("", SMTP{})
	f("smtp://mail.example", SMTP{Host: "mail.example", Port: 587})
	f("smtp://anna:p%40ss@mail.example:25/", SMTP{Host: "mail.example", Port: 25, User: "anna", Password: "p@ss"})
	f("smtps://anna%40a.example:x@mail.example", SMTP{Host: "mail.example", Port: 465, User: "anna@a.example", Password: "x", Implicit: true})
	f("smtp://localhost:25", SMTP{Host: "localhost", Port: 25, StartTLS: StartTLSOptional})
	f("smtp://a:b@127.0.0.1:25?starttls=off", SMTP{Host: "127.0.0.1", Port: 25, User: "a", Password: "b", StartTLS: StartTLSOff})
	f("smtp://mail.example?starttls=optional", SMTP{Host: "mail.example", Port: 587, StartTLS: StartTLSOptional})
	for _, bad := range []string{"mail.example:25", "http://mail.example", "smtp://", "smtp://h/x", "smtp://h?tls=1", "smtp://h?starttls=maybe", "smtp://h:99999",
		"smtp://a:secret@mail.example?starttls=off", "smtp://a:secret@mail.example?starttls=optional", "smtps://h?ca=/does/not/exist"} {
		err := parseSMTP(&Config{}, bad)
		if err == nil {
			t.Errorf("%s is taken", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s is told: %v", bad, err)
		}
	}
	if _, err := load(map[string]string{"REPORT_TO": "a@b.example"}); err == nil || !strings.Contains(err.Error(), "SMTP_URL") {
		t.Errorf("reports that nobody sends: %v", err)
	}
	c, err := load(map[string]string{"SMTP_URL": "smtp://localhost", "SMTP_FROM": "me@a.example", "REPORT_TO": "a+x=y@b.example, Shop.example=c@d.example,a+x=y@b.example",
		"REPORT_PERIOD": "month, shop.example=day", "TRAFFIC_ALARMS": "both,shop.example=off,blog.example=spike", "REPORT_CRON": "@weekly"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.ReportTo) != 2 || c.ReportTo[0] != (ReportTo{Mail: "a+x=y@b.example"}) || c.ReportTo[1] != (ReportTo{Site: "shop.example", Mail: "c@d.example"}) {
		t.Errorf("to %+v", c.ReportTo)
	}
	if c.SMTP.From != "me@a.example" || c.ReportPeriod.For("shop.example") != "day" || c.ReportPeriod.For("") != "month" || !c.ReportCron.On() {
		t.Errorf("%+v", c)
	}
	for site, want := range map[string][2]bool{"a.example": {true, true}, "shop.example": {}, "blog.example": {false, true}} {
		if silence, spike := c.TrafficAlarms.For(site); [2]bool{silence, spike} != want {
			t.Errorf("%s: silence %v, spike %v", site, silence, spike)
		}
	}
	if !c.TrafficAlarms.On() || (TrafficAlarms{Default: "off"}).On() {
		t.Error("alarms are off, or on")
	}
}
