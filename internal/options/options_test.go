package options

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/geoip/geoiptest"
)

func TestSameLimits(t *testing.T) {
	a := configtest.Load(t, nil, "")
	f := func(name, value string, same bool) {
		t.Helper()
		b := configtest.Load(t, map[string]string{name: value}, "")
		if got := SameLimits(a, b); got != same {
			t.Errorf("%s=%s: same limits %v", name, value, got)
		}
		if l := Limits(b); !same && l.MaxPages == a.MaxPagesPerSite && l.MaxSites == a.MaxSites && l.MaxEndpoints == a.APIMaxEndpoints &&
			l.MaxUsers == a.APIMaxUsers && l.DedupeWindow("a.example") == 0 {
			t.Errorf("%s=%s is not among the limits", name, value)
		}
	}
	f("LOG_LEVEL", "debug", true)
	f("MAX_PAGES_PER_SITE", "7", false)
	f("MAX_SITES", "7", false)
	f("API_MAX_ENDPOINTS", "7", false)
	f("API_MAX_USERS", "7", false)
	f("DEDUPE_WINDOW", "1h", false)
	f("DEDUPE_WINDOW", "a.example=1h", false)
}

func TestSameRules(t *testing.T) {
	a := configtest.Load(t, nil, "")
	f := func(name, value string, same bool) {
		t.Helper()
		if got := SameRules(a, configtest.Load(t, map[string]string{name: value}, "")); got != same {
			t.Errorf("%s=%s: same rules %v", name, value, got)
		}
	}
	f("LOG_LEVEL", "debug", true)
	f("BATCH_SIZE", "1", true)
	f("SITES", "a.example", false)
	f("SITE_ALIASES", "b.example=a.example", false)
	f("PAGE_SLASH", "strip", false)
	f("BLOCK_IPS", "192.0.2.1", false)
	f("SELF_IPS", "192.0.2.1", false)
	f("BLOCK_PATHS", "/x", false)
	f("REFERER_CHECK", "off", false)
	f("PRIVACY_GPC", "all", false)
	f("MAX_SITES", "7", true)
	f("FACETS", "none", false)
	f("UNIQUES", "week", false)

	// A database of the same content makes the same of a line, another one does not.
	path := filepath.Join(t.TempDir(), "country.mmdb")
	write := func(code string) *config.Config {
		configtest.WriteFile(t, path, string(geoiptest.Write(time.Unix(1_793_000_000, 0), map[string]string{"203.0.113.0/24": code})), 0o600)
		return configtest.Load(t, map[string]string{"GEOIP_DB": path}, "")
	}
	de := write("DE")
	if again, fr := write("DE"), write("FR"); !SameRules(de, again) || SameRules(de, fr) || SameRules(de, a) {
		t.Error("another database has the same rules, or the same one others")
	}

	site := map[string]string{"SITE_LOG": "/x/site.log", "SITES": "a.example"}
	a = configtest.Load(t, site, "")
	for name, value := range map[string]string{"API_SITE": "b.example", "API_ROUTES": "/x/:id", "API_USER_ARG": "u", "API_FAILED_FROM": "400"} {
		with := maps.Clone(site)
		with[name] = value
		if SameRules(a, configtest.Load(t, with, "")) {
			t.Errorf("%s=%s changes no rule", name, value)
		}
	}
}
