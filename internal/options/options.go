package options

import (
	"reflect"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/mailer"
	"ddkk-stats/internal/reports"
	"ddkk-stats/queryapi/edge"
)

// Redis is where Redis is.
func Redis(c *config.Config) counter.ConnectOptions {
	r := &c.Redis
	return counter.ConnectOptions{
		Addrs: r.Addrs, Cluster: r.Cluster, Username: r.Username, Password: string(r.Password), DB: r.DB, TLS: r.TLS,
		Master: r.Master, SentinelUsername: r.SentinelUsername, SentinelPassword: string(r.SentinelPassword),
	}
}

// SameRules tells whether two configurations make the same of a line.
func SameRules(a, b *config.Config) bool {
	for _, in := range logs.Inputs(a) {
		x, y := logs.ParserOf(a, in, nil), logs.ParserOf(b, in, nil)
		x.Country, y.Country = nil, nil // functions are never equal
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return a.GeoIP.Same(b.GeoIP)
}

// Limits are the rules that the parser cannot apply alone.
func Limits(c *config.Config) counter.Limits {
	return counter.Limits{
		MaxPages: c.MaxPagesPerSite, MaxPagesEver: c.MaxPagesEver, MaxSites: c.MaxSites, MaxEndpoints: c.APIMaxEndpoints, MaxUsers: c.APIMaxUsers,
		DedupeWindow: c.Dedupe.For,
	}
}

func SameLimits(c *config.Config, other *config.Config) bool {
	return c.MaxPagesPerSite == other.MaxPagesPerSite && c.MaxPagesEver == other.MaxPagesEver && c.MaxSites == other.MaxSites &&
		c.APIMaxEndpoints == other.APIMaxEndpoints && c.APIMaxUsers == other.APIMaxUsers && reflect.DeepEqual(c.Dedupe, other.Dedupe)
}

// ArchiveRules are the same for what is archived.
func ArchiveRules(c *config.Config) archive.Rules {
	return archive.Rules{MaxPages: c.MaxPagesPerSite, MaxPagesEver: c.MaxPagesEver, MaxEndpoints: c.APIMaxEndpoints, MaxUsers: c.APIMaxUsers, DedupeWindow: c.Dedupe.For}
}

// Access is who may ask the API.
func Access(c *config.Config) edge.Access {
	return edge.Access{
		CORSOrigins: c.CORSOrigins, AdminToken: string(c.AdminToken), TrustedProxies: c.TrustedProxies, ClientHeader: c.ClientIPHeader,
		APILimit:       edge.Limit{Rate: float64(c.APIRate), Burst: c.APIBurst},
		BeaconLimit:    edge.Limit{Rate: float64(c.BeaconRate), Burst: c.BeaconBurst},
		ConnsPerClient: c.ClientConnections,
	}
}

// Alert is where alerts go.
func Alert(c *config.Config) alert.Target {
	return alert.Target{URL: string(c.AlertURL), Format: alert.Format(c.AlertFormat), Secret: string(c.AlertSecret)}
}

// Report is where reports are posted.
func Report(c *config.Config) alert.Target { return alert.Target{URL: string(c.ReportURL)} }

// Mail is who takes mails.
func Mail(c *config.Config) *mailer.Server {
	m := &c.SMTP
	return &mailer.Server{
		Host: m.Host, Port: m.Port, User: m.User, Password: string(m.Password), Implicit: m.Implicit,
		Optional: m.StartTLS == config.StartTLSOptional, Off: m.StartTLS == config.StartTLSOff, Local: m.Local(), TLS: m.TLS, From: m.From,
	}
}

// ReportTargets are those who get reports.
func ReportTargets(c *config.Config) []reports.Target {
	var all []reports.Target
	for _, to := range c.ReportTo {
		t := reports.Target{Site: to.Site, Mail: to.Mail}
		if site, ok := c.SiteOf(to.Site); ok {
			t.Site = site
		}
		t.Period = c.ReportPeriod.For(t.Site)
		all = append(all, t)
	}
	if c.ReportURL != "" {
		all = append(all, reports.Target{Period: c.ReportPeriod.For("")})
	}
	return all
}
