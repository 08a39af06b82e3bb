package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"

	"ddkk-stats/internal/geoip"
	"ddkk-stats/parser"
)

// DefaultConfigFile is read when neither --config nor CONFIG names a file and
// it exists in the working directory.
const DefaultConfigFile = "ddkk-stats.yaml"

// Config is the whole configuration of every command. It is made by
// LoadConfig from the table in config_settings.go and not changed afterwards;
// a reload makes a new one, and Diff tells what became of it.
type Config struct {
	File string // the file that was read, empty when none was

	Listen         string // host or address, without the port; or unix:/path
	Socket         string // the path of it; empty: a port
	Port           int    // 0: any free port
	CORSOrigins    []string
	AdminToken     Secret
	PublicSites    []string // empty: none
	TrustedProxies []netip.Prefix
	ClientIPHeader string // empty: X-Real-IP, else X-Forwarded-For

	// Limits of one client's requests, per second and at once; a rate of 0 is
	// none. And of open connections, of one client (0: none) and of all.
	APIRate, APIBurst       int
	BeaconRate, BeaconBurst int
	ClientConnections       int
	MaxConnections          int

	DataDir       string
	AccessLog     string        // empty: the built-in beacon's log in DataDir
	LogFormat     parser.Format // of AccessLog
	SiteLog       string        // empty: no API series
	SiteLogFormat parser.Format
	LogSegments   segmentPatterns
	APISite       string   // of the calls in SiteLog whose lines have no host
	APIRoutes     []string // patterns of endpoints
	APIUserArg    string
	Downloads     []string          // endings of files that are linked for themselves
	LogViews      []parser.LogView  // sites whose views are those of SiteLog
	APIFailedFrom int               // the lowest status of a failed call
	JSONFields    map[string]string // field (parser.JSONFieldNames) -> its key in a JSON log
	LogTimezone   *time.Location    // of times in foreign logs that tell none; nil: Timezone
	NginxPID      string
	LogSync       bool

	Redis         Redis
	RedisPrefix   string
	AllowEviction bool
	UVSetTTL      time.Duration

	MySQLDSN         Secret      // empty: SQLite in DataDir
	MySQLTLS         *tls.Config // nil: as the DSN says
	mysqlFiles       tlsFiles
	MySQLConnections int
	MySQLTimeout     time.Duration
	RawRetentionDays int    // 0: forever
	IPMode           string // full, masked or none
	LogRetention     time.Duration
	LogBudget        int64 // bytes; 0: none

	Sites           []string          // empty: every site
	SiteAliases     map[string]string // host -> site
	RefererCheck    bool
	Page            parser.PageRules
	PageSites       map[string]parser.PageRules // of sites that have their own
	pages           pageSettings
	MaxPagesPerSite int
	MaxPagesEver    int
	MaxSites        int
	APIMaxEndpoints int
	APIMaxUsers     int
	Dedupe          DedupeWindows
	PrivacyGPC      parser.GPCMode
	Uniques         parser.Uniques
	Secret          Secret
	BlockIPs        []netip.Prefix
	SelfIPs         []netip.Prefix // the owner's own
	BlockPaths      []string
	BotAgents       []string // texts in user agents
	FacetsOff       parser.FacetSet
	GeoIPPath       string
	GeoIP           *geoip.Database // nil: countries are not told
	BeaconKey       Secret          // keys separated by commas; empty: beacons need no signature

	AlertURL    Secret // empty: nowhere
	AlertFormat string // of internal/alert
	AlertSecret Secret // signs what is posted, where the receiver asks for it
	AlertRepeat time.Duration
	AlertTo     []string // addresses

	TrafficAlarms TrafficAlarms
	MetricsSites  int

	ReportTo     []ReportTo
	ReportURL    Secret // empty: nowhere
	ReportPeriod ReportPeriods
	ReportLang   string // en or zh
	SMTP         SMTP

	Timezone      *time.Location
	LogLevel      slog.Level
	BatchSize     int // writes to Redis
	BatchInterval time.Duration

	RotateCron, ArchiveCron, FlushCron, VerifyCron, ReportCron Schedule

	MirrorSlots int
	Elastic     ElasticConfig

	// Rules are no settings: they are kept in SQL, and put here as they are learnt, see
	// WithRules.
	Rules parser.Rules

	// texts holds every setting as it was written, by name: what Diff
	// compares and String prints.
	texts map[string]string
	// viewSpans are the times of LogViews as they were written.
	viewSpans []string
}

// ElasticConfig is a search index that page totals are sent to.
type ElasticConfig struct {
	URL           string // empty: none
	Index, ID     string
	User          string
	Password, Key Secret
	Upsert        bool
	ViewsField    string
	BotsField     string
}

// Secret is a text that never shows in logs, messages or dumps. Only an
// explicit conversion, string(s), reveals it.
type Secret string

// String is "(set)" or empty; it is what fmt and slog print.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(set)"
}

// GoString keeps %#v quiet as well.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Schedule is a cron expression; the zero value never fires.
type Schedule struct {
	Text  string        // as written, empty when off
	Times cron.Schedule // nil when off
}

// On reports whether the schedule ever fires.
func (s Schedule) On() bool { return s.Times != nil }

// DedupeWindows says for how long the same visitor address and page count
// once; 0 is off.
type DedupeWindows struct {
	Default time.Duration
	Sites   map[string]time.Duration
}

// For is the window of one site.
func (d DedupeWindows) For(site string) time.Duration {
	if w, ok := d.Sites[site]; ok {
		return w
	}
	return d.Default
}

// Address is where the HTTP server listens: host:port, or unix:/path.
func (c *Config) Address() string {
	if c.Socket != "" {
		return c.Listen
	}
	return net.JoinHostPort(c.Listen, strconv.Itoa(c.Port))
}

// Parser is the configuration of a parser for a log of this format. secret
// keys the visitor hash: SECRET, or what was made once and kept.
func (c *Config) Parser(format parser.Format, secret []byte) parser.Config {
	var country func(netip.Addr) string
	if c.GeoIP != nil {
		country = c.GeoIP.Country
	}
	return parser.Config{
		Off: c.FacetsOff, Country: country, LogViews: c.LogViews,
		Format: format, Location: c.Timezone, Secret: secret,
		Sites: c.Sites, Aliases: c.SiteAliases, RefererCheck: c.RefererCheck,
		GPC: c.PrivacyGPC, Uniques: c.Uniques, Page: c.Page, PageSites: c.PageSites,
		Blocked: c.BlockIPs, BlockedPaths: c.BlockPaths, Self: c.SelfIPs, BotAgents: c.BotAgents,
		BeaconKeys: splitList(string(c.BeaconKey)),
		JSONFields: c.JSONFields, LogLocation: c.LogTimezone, Proxies: c.TrustedProxies,
		Rules: c.Rules,
	}
}

// WithRules is c with other rules.
func (c *Config) WithRules(r parser.Rules) *Config {
	other := *c
	other.Rules = r
	return &other
}

// Load reads the environment and the YAML file. path is the value of
// --config; when empty, the environment's CONFIG, then ./ddkk-stats.yaml if
// it exists. The environment wins over the file, an empty variable counts as
// not set. Everything that is wrong is reported at once: the error lists one
// *SettingError for each.
func Load(path string, lookup func(string) (string, bool)) (*Config, error) {
	path, err := configPath(path, lookup)
	if err != nil {
		return nil, err
	}
	var problems problemList
	var fromFile []fileValue
	if path != "" {
		data, err := readOwn(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		fromFile = readYAML(path, data, &problems)
	}
	c := &Config{File: path, texts: make(map[string]string, len(Settings))}
	for i := range Settings {
		s := &Settings[i]
		text, where, err := s.lookup(lookup, path, fromFile)
		if err != nil {
			problems.add(err)
			continue
		}
		c.texts[s.Name] = text
		if err := s.apply(c, text); err != nil {
			problems.add(s.problem(text, where, err))
		}
	}
	c.checkTogether(&problems)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// readOwn reads a file that only its owner may write, and root: whoever else could
// would decide where the daemon writes and whom it obeys.
func readOwn(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := fi.Mode(); mode.IsRegular() && othersMayWrite(fi) {
		return nil, fmt.Errorf("cannot take settings from %s: others may write it (%v); nothing was read. Run: chmod go-w %s", path, mode.Perm(), path)
	}
	return io.ReadAll(f)
}

// othersMayWrite tells whether more than a file's owner may write it. A group that is
// named for one user, as many systems give to each, is that user.
func othersMayWrite(fi os.FileInfo) bool {
	const group, all = 0o020, 0o002
	mode := fi.Mode().Perm()
	if mode&all != 0 {
		return true
	}
	of, ok := fi.Sys().(*syscall.Stat_t)
	return mode&group != 0 && !(ok && (of.Gid == of.Uid || of.Gid == 0))
}

// configPath picks the file to read; empty means none.
func configPath(path string, lookup func(string) (string, bool)) (string, error) {
	if path != "" {
		return path, nil
	}
	if p, ok := lookup("CONFIG"); ok && p != "" {
		return p, nil
	}
	_, err := os.Stat(DefaultConfigFile)
	switch {
	case err == nil:
		return DefaultConfigFile, nil
	case os.IsNotExist(err):
		return "", nil
	default:
		return "", fmt.Errorf("look for configuration: %w", err)
	}
}

// rowsForUniques are the days that raw rows must be kept for visitors of a week or a
// month to be counted when it is over: as long as that is, and two weeks for what
// comes late.
var rowsForUniques = map[parser.Uniques]int{parser.UniquesWeek: 14, parser.UniquesMonth: 45}

func (c *Config) checkUniques(problems *problemList) {
	if least := rowsForUniques[c.Uniques]; c.RawRetentionDays > 0 && c.RawRetentionDays < least {
		problems.add(&SettingError{
			Name: "UNIQUES", Value: c.Uniques.String(), Where: "together with RAW_RETENTION_DAYS",
			Err: fmt.Errorf("its visitors are counted from raw rows when it is over: RAW_RETENTION_DAYS must be %d at least, or 0", least),
		})
	}
}

// checkTogether finds settings that are right alone and wrong together.
func (c *Config) checkTogether(problems *problemList) {
	c.checkRedis(problems)
	c.checkMySQL(problems)
	c.timeLogViews(problems)
	c.joinPages(problems)
	c.checkSiteLog(problems)
	c.checkSegments(problems)
	c.checkCompressed(problems)
	c.checkUniques(problems)
	c.checkMail(problems)
	if c.AccessLog != "" && samePath(c.AccessLog, c.BeaconLog()) {
		problems.add(&SettingError{
			Name: "ACCESS_LOG", Value: c.AccessLog, Where: "together with DATA_DIR",
			Allowed: "another file: this one is the built-in beacon's, which is counted anyway",
		})
	}
	for site := range c.Dedupe.Sites {
		if len(c.Sites) > 0 && !slices.Contains(c.Sites, site) {
			problems.add(&SettingError{
				Name: "DEDUPE_WINDOW", Value: site, Where: "together with SITES",
				Allowed: "sites that are in SITES",
			})
		}
	}
}

// samePath tells whether two paths lead to the same place, also before there is
// anything.
func samePath(a, b string) bool {
	a, aerr := filepath.Abs(a)
	b, berr := filepath.Abs(b)
	return aerr == nil && berr == nil && a == b
}

// Warnings are settings that work but that an operator should know about;
// each is a sentence that says what to do.
func (c *Config) Warnings() []string {
	var w []string
	if c.Secret != "" && len(c.Secret) < 16 {
		w = append(w, "SECRET has fewer than 16 characters: visitor hashes could be reversed by trial; use `openssl rand -hex 32`")
	}
	if c.AdminToken != "" && len(c.AdminToken) < 16 {
		w = append(w, "ADMIN_TOKEN has fewer than 16 characters: it could be guessed; use `openssl rand -hex 32`")
	}
	if c.AllowEviction && len(c.Redis.Addrs) > 0 {
		w = append(w, "ALLOW_EVICTION is on: a Redis that evicts keys loses counters without a word; set maxmemory-policy noeviction")
	}
	if c.ReportCron.On() && len(c.ReportTo) == 0 && c.ReportURL == "" {
		w = append(w, "REPORT_CRON is on, and nobody gets reports; set REPORT_TO or REPORT_URL")
	}
	if c.TrafficAlarms.On() && len(c.AlertTo) == 0 && c.AlertURL == "" {
		w = append(w, "TRAFFIC_ALARMS is on, and nobody is told; set ALERT_URL or ALERT_TO")
	}
	if !c.LogSync {
		w = append(w, "LOG_SYNC is off: after a power loss Redis may count lines that the log no longer holds")
	}
	return append(w, c.pageWarnings()...)
}

// Change is one setting that differs between two configurations.
type Change struct {
	Name       string
	Old, New   string // as written; "(set)" for a secret
	Reloadable bool   // false: takes effect after a restart
}

// Diff lists what other has different from c, in the table's order.
func (c *Config) Diff(other *Config) []Change {
	var changes []Change
	for i := range Settings {
		s := &Settings[i]
		before, after := c.texts[s.Name], other.texts[s.Name]
		if before == after && (s.same == nil || s.same(c, other)) {
			continue
		}
		changes = append(changes, Change{
			Name: s.Name, Old: s.shown(before), New: s.shown(after), Reloadable: s.reloadable(c, other),
		})
	}
	return changes
}

// String lists every setting that is not the default, secrets redacted.
func (c *Config) String() string {
	var b strings.Builder
	for i := range Settings {
		s := &Settings[i]
		if text := c.texts[s.Name]; text != s.Default {
			fmt.Fprintf(&b, "%s=%s\n", s.Name, s.shown(text))
		}
	}
	return b.String()
}

// GoString is String: a %#v in a log must not reveal a secret either.
func (c *Config) GoString() string { return c.String() }

// LogValue implements slog.LogValuer: a group of what is not the default.
func (c *Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for i := range Settings {
		s := &Settings[i]
		if text := c.texts[s.Name]; text != s.Default {
			attrs = append(attrs, slog.String(s.Name, s.shown(text)))
		}
	}
	return slog.GroupValue(attrs...)
}

// BeaconLog is the path of the built-in beacon's log.
func (c *Config) BeaconLog() string { return filepath.Join(c.DataDir, "log", "event.log") }

// SiteOf normalises a site that somebody asks for; false for what is no site
// and for sites outside SITES.
func (c *Config) SiteOf(raw string) (string, bool) {
	site, ok := parser.NormalizeSite(raw)
	if !ok {
		return "", false
	}
	if to, ok := c.SiteAliases[site]; ok {
		site = to
	}
	site = c.Rules.Renamed(site)
	if len(c.Sites) == 0 {
		return site, true
	}
	for _, s := range c.Sites {
		if s == site {
			return site, true
		}
	}
	return "", false
}

// Days are how many days lie between two of the next times, at most; 1 where
// there are none.
func (s Schedule) Days(now time.Time) int {
	const day = 24 * time.Hour
	most := day
	if s.On() {
		at := s.Times.Next(now)
		for range 10 {
			next := s.Times.Next(at)
			most = max(most, next.Sub(at))
			at = next
		}
	}
	return int((most + day - 2*time.Hour) / day) // a day has 25 hours, too
}
