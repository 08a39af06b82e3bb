package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // TIMEZONE works on machines without zone files

	"github.com/robfig/cron/v3"

	"ddkk-stats/internal/geoip"
	"ddkk-stats/parser"
)

// Short names that keep the table's lines readable.
type (
	dur  = time.Duration
	nets = []netip.Prefix
)

const hour = time.Hour

// text takes any value.
func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = s
		return nil
	}
}

func secret(field func(*Config) *Secret) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = Secret(s)
		return nil
	}
}

// oneOf takes one of a few words, in any case.
func oneOf(field func(*Config) *string, words ...string) func(*Config, string) error {
	return func(c *Config, s string) error {
		word := strings.ToLower(s)
		if !slices.Contains(words, word) {
			return errors.New("not one of the words")
		}
		*field(c) = word
		return nil
	}
}

func intBetween(field func(*Config) *int, low, high int) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil {
			return errors.New("not a number")
		}
		if n < low || n > high {
			return errors.New("out of range")
		}
		*field(c) = n
		return nil
	}
}

func toggle(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		on, err := parseSwitch(s)
		*field(c) = on
		return err
	}
}

func parseSwitch(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "true", "on", "yes":
		return true, nil
	case "0", "false", "off", "no":
		return false, nil
	}
	return false, errors.New("neither on nor off")
}

func duration(field func(*Config) *dur, low dur) func(*Config, string) error {
	return func(c *Config, s string) error {
		d, err := parseDuration(s)
		if err != nil {
			return err
		}
		if d < low {
			return errors.New("too short")
		}
		*field(c) = d
		return nil
	}
}

// size takes bytes, also as 500MB or 10GB.
func size(field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, s string) error {
		number, factor := strings.ToUpper(s), int64(1)
		for i, unit := range []string{"KB", "MB", "GB", "TB"} {
			if rest, ok := strings.CutSuffix(number, unit); ok {
				number, factor = strings.TrimSpace(rest), 1<<(10*(i+1))
				break
			}
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/factor {
			return errors.New("not a size")
		}
		*field(c) = n * factor
		return nil
	}
}

// parseDuration is time.ParseDuration with whole days (30d) added, and
// without negative ones.
func parseDuration(s string) (dur, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errors.New("not a duration")
		}
		return dur(n) * 24 * hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("not a duration")
	}
	if d < 0 {
		return 0, errors.New("negative")
	}
	return d, nil
}

func parseBatchInterval(c *Config, s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	if d > time.Minute {
		return errors.New("too long")
	}
	c.BatchInterval = d
	return nil
}

func schedule(field func(*Config) *Schedule) func(*Config, string) error {
	return func(c *Config, s string) error {
		parsed, err := ParseSchedule(s)
		*field(c) = parsed
		return err
	}
}

// ParseSchedule reads a cron expression. A zone inside it is refused: there is
// TIMEZONE for that, and the parser panics when nothing follows the zone.
func ParseSchedule(s string) (Schedule, error) {
	if s == "" || strings.EqualFold(s, "off") {
		return Schedule{}, nil
	}
	if strings.Contains(s, "TZ=") {
		return Schedule{}, errors.New("has a zone of its own; set TIMEZONE")
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	times, err := parser.Parse(s)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{Text: s, Times: times}, nil
}

// splitList splits at commas, drops blanks around the items and empty items.
func splitList(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// splitPairs reads key=value items and calls add for each.
func splitPairs(s string, add func(key, value string) error) error {
	for _, item := range splitList(s) {
		key, value, ok := strings.Cut(item, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || value == "" {
			return fmt.Errorf("%q is not of the form key=value", item)
		}
		if err := add(key, value); err != nil {
			return err
		}
	}
	return nil
}

func parseLogSync(c *Config, s string) error {
	switch strings.ToLower(s) {
	case "always":
		c.LogSync = true
		return nil
	case "off":
		c.LogSync = false
		return nil
	}
	return errors.New("neither always nor off")
}

func parseJSONFields(c *Config, s string) error {
	c.JSONFields = make(map[string]string)
	return splitPairs(s, func(field, name string) error {
		if !slices.Contains(parser.JSONFieldNames(), field) {
			return fmt.Errorf("%q is not the name of a field", field)
		}
		c.JSONFields[field] = name
		return nil
	})
}

func parsePrefix(c *Config, s string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}
	if s == "" || len(s) > 32 || strings.ContainsFunc(s, bad) {
		return errors.New("not a prefix")
	}
	c.RedisPrefix = s
	return nil
}

func parseDedupe(c *Config, s string) error {
	c.Dedupe = DedupeWindows{Sites: make(map[string]time.Duration)}
	for _, item := range splitList(s) {
		site, text, perSite := strings.Cut(item, "=")
		if !perSite {
			text = item
		}
		window, err := parseWindow(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is %w", item, err)
		}
		if !perSite {
			c.Dedupe.Default = window
			continue
		}
		host, err := siteHost(strings.TrimSpace(site))
		if err != nil {
			return err
		}
		c.Dedupe.Sites[host] = window
	}
	return nil
}

func parseWindow(s string) (dur, error) {
	if strings.EqualFold(s, "off") {
		return 0, nil
	}
	return parseDuration(s)
}

func logFormat(field func(*Config) *parser.Format) func(*Config, string) error {
	return func(c *Config, s string) error {
		format, err := parser.ParseFormat(s)
		*field(c) = format
		return err
	}
}

// keep takes keep or drop, and what people write instead.
func keep(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		switch strings.ToLower(s) {
		case "keep":
			*field(c) = true
			return nil
		case "drop":
			*field(c) = false
			return nil
		}
		return toggle(field)(c, s)
	}
}

func parseGPC(c *Config, s string) error {
	mode, err := parser.ParseGPCMode(strings.ToLower(s))
	c.PrivacyGPC = mode
	return err
}

func parseUniques(c *Config, s string) (err error) {
	c.Uniques, err = parser.ParseUniques(strings.ToLower(s))
	return err
}

func parseBlockPaths(c *Config, s string) error {
	paths := splitList(s)
	for _, path := range paths {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q does not begin with /", path)
		}
		if strings.Contains(strings.TrimSuffix(path, "*"), "*") {
			return fmt.Errorf("%q has a * that is not at the end", path)
		}
	}
	c.BlockPaths = paths
	return nil
}

func parseToken(c *Config, s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("a character that no HTTP header can carry")
	}
	c.AdminToken = Secret(s)
	return nil
}

func parseTimezone(c *Config, s string) (err error) {
	c.Timezone, err = zoneOf(s)
	return err
}

func parseLogTimezone(c *Config, s string) (err error) {
	c.LogTimezone = nil
	if s != "" {
		c.LogTimezone, err = zoneOf(s)
	}
	return err
}

func zoneOf(s string) (*time.Location, error) {
	if strings.EqualFold(s, "local") {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, errors.New("unknown zone")
	}
	return zone, nil
}

// LogZone is the zone of times in a log that tell none.
func (c *Config) LogZone() *time.Location {
	if c.LogTimezone != nil {
		return c.LogTimezone
	}
	return c.Timezone
}

func parseLevel(c *Config, s string) error {
	switch strings.ToLower(s) {
	case "debug":
		c.LogLevel = slog.LevelDebug
	case "info":
		c.LogLevel = slog.LevelInfo
	case "warn", "warning":
		c.LogLevel = slog.LevelWarn
	case "error":
		c.LogLevel = slog.LevelError
	default:
		return errors.New("unknown level")
	}
	return nil
}

// parseBeaconKey takes the keys of signed beacons. The message does not quote them.
func parseBeaconKey(c *Config, s string) error {
	for _, key := range splitList(s) {
		if len(key) < 16 {
			return errors.New("a key is shorter than 16 characters: it could be guessed from a page's signature")
		}
	}
	c.BeaconKey = Secret(s)
	return nil
}

func parseFacets(c *Config, s string) (err error) {
	c.FacetsOff, err = parser.ParseFacets(splitList(s))
	return err
}

func parseGeoIP(c *Config, s string) (err error) {
	c.GeoIPPath = s
	c.GeoIP, err = geoip.Open(s)
	return err
}
