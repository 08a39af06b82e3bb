package config

import (
	"errors"
	"strings"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/parser"
)

// Setting is one row of the table that everything about the configuration is
// derived from: reading, checking, reloading, redacting and the manual.
type Setting struct {
	Name    string                   // of the environment; the file has it in lower case
	Default string                   // as one would write it; empty is a meaning of its own
	Allowed string                   // what a value looks like, for messages and the manual
	Doc     string                   // what it does, a sentence or two
	Reload  bool                     // takes effect on SIGHUP, without a restart
	Secret  bool                     // never printed
	Pairs   bool                     // a list of key=value; the file may have a mapping
	shownAs func(text string) string // what of it may be printed; nil: all, or nothing of a secret
	same    func(a, b *Config) bool  // whether a value that is written alike is the same; nil: it is
	reloads func(a, b *Config) bool  // whether a reload can change the one into the other; nil: it can
	set     func(c *Config, text string) error
}

// What several settings allow.
const (
	allowedSwitch   = "on or off (also 1/0, true/false, yes/no)"
	allowedCron     = "a cron expression (five fields, six with seconds first, or @every 1h, @daily), or off"
	allowedDuration = "a duration such as 20ms, 1h30m or 30d"
	allowedSize     = "bytes, or with KB, MB, GB or TB (of 1024)"
	allowedNets     = "addresses and networks such as 127.0.0.1, 10.0.0.0/8, ::1, separated by commas"
	allowedPath     = "a path"
	allowedPEM      = "a path of a file in PEM"
	allowedKeep     = "drop or keep"
)

// allowedFormat is what names a format of a log.
var allowedFormat = "v1, combined, json, " + strings.Join(parser.NamedFormats(), ", ") +
	", a log_format of nginx, a LogFormat of Apache, a `#Fields:` line, or json:FIELD=KEY,..."

// Settings is the table. Its order is the manual's.
var Settings = []Setting{
	{Name: "PORT", Default: "8360", Allowed: "0 to 65535; 0 takes any free port",
		Doc: "Port of the HTTP server.",
		set: intBetween(func(c *Config) *int { return &c.Port }, 0, 65535)},
	{Name: "LISTEN", Default: "127.0.0.1", Allowed: "an address or a host name, without port; 0.0.0.0 or :: for all; or unix:/path of a socket",
		Doc: "Address of the HTTP server. Keep it on loopback behind nginx. With a socket `PORT` is not used, and everybody who may enter its folder may connect.",
		set: parseListen},
	{Name: "DATA_DIR", Default: "./data", Allowed: allowedPath,
		Doc: "Folder of the built-in beacon's log, of SQLite and of the daemon's own state.",
		set: text(func(c *Config) *string { return &c.DataDir })},

	{Name: "ACCESS_LOG", Allowed: allowedPath,
		Doc: "The beacon log that nginx writes. Empty: the built-in beacon's log in `DATA_DIR`.",
		set: text(func(c *Config) *string { return &c.AccessLog })},
	{Name: "LOG_FORMAT", Default: "v1", Allowed: allowedFormat,
		Doc: "Format of `ACCESS_LOG`: a name, or the text that the server has for it; see docs/MIGRATION.md. Only v1 can tell a torn line from a whole one.",
		set: logFormat(func(c *Config) *parser.Format { return &c.LogFormat })},
	{Name: "SITE_LOG", Allowed: allowedPath,
		Doc: "The site's own access log, for statistics of requests, crawlers, feeds and API calls. Empty: none. It is archived, and its rotated segments are deleted, like `ACCESS_LOG`.",
		set: text(func(c *Config) *string { return &c.SiteLog })},
	{Name: "SITE_LOG_FORMAT", Default: "v1", Allowed: allowedFormat,
		Doc: "Format of `SITE_LOG`, as `LOG_FORMAT`.",
		set: logFormat(func(c *Config) *parser.Format { return &c.SiteLogFormat })},
	{Name: "LOG_SEGMENTS", Allowed: "paths whose last element may have *, ? and [...], separated by commas; ACCESS_LOG= or SITE_LOG= before one says whose it is",
		Doc: "Rotated segments of `ACCESS_LOG` and `SITE_LOG` that have other names than rotations give (numbers and dates behind the log's name or before its extension, compressed or not), such as `/var/log/old/access-*.log.gz`. They are counted, archived and, once archived, deleted like the others. A path without a folder is beside the log.",
		set: parseSegments},
	{Name: "DOWNLOADS", Default: parser.DefaultDownloads, Allowed: "endings of files, separated by commas, such as pdf,zip; none",
		Doc: "What counts as a download in `SITE_LOG`, by the ending of the path.", Reload: true,
		set: parseDownloads},
	{Name: "LOG_VIEWS", Allowed: "hosts, separated by commas, each with the time from which on, as blog.ddkk.com@2026-12-01T00:00, or from and until which, as @2026-12-01/2027-01-01",
		Doc: "Sites whose page views are those of `SITE_LOG` instead of their beacons': no script is needed. With times, in `TIMEZONE`, lines of `SITE_LOG` within them count, and beacons' views outside of them. Events are told by beacons as before. A reload takes times to come; a first host, and the last one that goes, need a restart.", Reload: true,
		set: parseLogViews, reloads: func(a, b *Config) bool { return len(a.LogViews) > 0 && len(b.LogViews) > 0 }},
	{Name: "API_SITE", Allowed: "a host",
		Doc: "The site of the calls in `SITE_LOG` where its lines have no host, as in combined ones. Empty: the one in `SITES`, if there is one alone.", Reload: true,
		set: parseAPISite},
	{Name: "API_ROUTES", Allowed: "patterns such as /users/:id, /api/*, separated by commas",
		Doc: "Patterns of API endpoints. `:name` matches one path element, a final `*` any rest; the pattern with the longest literal prefix wins. In other paths, numbers, UUIDs, hexadecimal and overlong elements become `:id`.", Reload: true,
		set: parseRoutes},
	{Name: "API_USER_ARG", Allowed: "the name of a query argument",
		Doc: "The query argument that names a call's user. Empty, or absent from a call: $remote_user. The value is stored and shown as it is, so name no secret.", Reload: true,
		set: parseArgument},
	{Name: "API_FAILED_FROM", Default: "500", Allowed: "a status from 400 to 599",
		Doc: "The lowest status of a failed call.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.APIFailedFrom }, 400, 599)},
	{Name: "API_MAX_ENDPOINTS", Default: "500", Allowed: "1 to 10000",
		Doc: "Maximum distinct endpoints per site and day beside those of `API_ROUTES`; further ones count as `__other__`.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.APIMaxEndpoints }, 1, 10_000)},
	{Name: "API_MAX_USERS", Default: "1000", Allowed: "1 to 100000",
		Doc: "Maximum distinct API users per site and day; further ones count as `__other__`.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.APIMaxUsers }, 1, 100_000)},
	{Name: "JSON_FIELDS", Allowed: "pairs such as time=ts,addr=client_ip; on the left: " + strings.Join(parser.JSONFieldNames(), ", "), Pairs: true,
		Doc: "Names of the fields in a JSON log, where they differ from the usual ones. A dot leads into objects and arrays: `user_agent=request.headers.User-Agent.0`.", Reload: true,
		set: parseJSONFields},
	{Name: "LOG_TIMEZONE", Allowed: "a zone such as Asia/Shanghai or UTC",
		Doc: "Time zone of times without one in logs of other formats, such as `2026-11-20 10:00:00`. Empty: `TIMEZONE`.", Reload: true,
		set: parseLogTimezone},
	{Name: "NGINX_PID", Allowed: allowedPath + " of nginx's pid file",
		Doc: "nginx's pid file; nginx gets USR1 after a rotation. Empty: the daemon does not rotate `ACCESS_LOG` and `SITE_LOG`.",
		set: text(func(c *Config) *string { return &c.NginxPID })},
	{Name: "LOG_SYNC", Default: "always", Allowed: "always or off",
		Doc: "`always`: the log is synced to the disk before its lines are committed, so that a power loss cannot leave Redis ahead of the log.",
		set: parseLogSync},
	{Name: "LOG_RETENTION", Default: "30d", Allowed: allowedDuration + "; 0 keeps everything",
		Doc: "Age at which an archived segment is deleted. Keep it above the longest outage of Redis or MySQL you expect.", Reload: true,
		set: duration(func(c *Config) *dur { return &c.LogRetention }, 0)},
	{Name: "LOG_BUDGET", Default: "10GB", Allowed: allowedSize + "; 0: no budget",
		Doc: "Room for all files of the logs together. From 80% on it is an alert (`DdkkLogBudget`), a line in the log and in `check`; nothing is refused or deleted for it.", Reload: true,
		set: size(func(c *Config) *int64 { return &c.LogBudget })},

	{Name: "REDIS_ADDR", Allowed: "host:port, a socket's absolute path, several host:port separated by commas for a cluster, or a URL: redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://",
		Doc:     "Redis address. `rediss://user:password@host:6379/0` is by TLS, several hosts in a URL are a cluster, `redis+sentinel://a:26379,b:26379/mymaster/0` asks sentinels who the master is. Empty: an embedded store, for evaluation and small sites.",
		shownAs: maskURL, set: parseRedisAddr},
	{Name: "REDIS_CLUSTER", Default: "off", Allowed: allowedSwitch,
		Doc: "Treat a single `REDIS_ADDR` as a cluster. Several addresses always are one.",
		set: toggle(func(c *Config) *bool { return &c.Redis.Cluster })},
	{Name: "REDIS_USERNAME", Allowed: "any text",
		Doc: "Redis ACL user (deploy/redis-users.conf). Empty: the URL's, or its default user.",
		set: text(func(c *Config) *string { return &c.Redis.Username })},
	{Name: "REDIS_PASSWORD", Secret: true, Allowed: "any text",
		Doc: "Redis password. Empty: the URL's, or none.",
		set: secret(func(c *Config) *Secret { return &c.Redis.Password })},
	{Name: "REDIS_DB", Default: "0", Allowed: "a number from 0 on",
		Doc: "Database of a Redis that is no cluster, where the URL names none.",
		set: parseRedisDB},
	{Name: "REDIS_TLS_CA", Allowed: allowedPEM,
		Doc: "Certificates of the authorities that Redis's certificate is trusted by. Empty: the system's.",
		set: caFile(func(c *Config) *tlsFiles { return &c.Redis.files })},
	{Name: "REDIS_TLS_CERT", Allowed: allowedPEM,
		Doc: "Our certificate, for a Redis that wants one (`tls-auth-clients`). It is read with each connection.",
		set: text(func(c *Config) *string { return &c.Redis.files.cert })},
	{Name: "REDIS_TLS_KEY", Allowed: allowedPEM,
		Doc: "The key of `REDIS_TLS_CERT`.",
		set: text(func(c *Config) *string { return &c.Redis.files.key })},
	{Name: "REDIS_SENTINEL_USERNAME", Allowed: "any text",
		Doc: "User of the sentinels, where they have an ACL of their own.",
		set: text(func(c *Config) *string { return &c.Redis.SentinelUsername })},
	{Name: "REDIS_SENTINEL_PASSWORD", Secret: true, Allowed: "any text",
		Doc: "Password of the sentinels.",
		set: secret(func(c *Config) *Secret { return &c.Redis.SentinelPassword })},
	{Name: "REDIS_PREFIX", Default: "ddkk", Allowed: "1 to 32 letters, digits, _ or -",
		Doc: "Prefix of every key.",
		set: parsePrefix},
	{Name: "ALLOW_EVICTION", Default: "off", Allowed: allowedSwitch,
		Doc: "Start even if Redis may evict keys, which loses counters.",
		set: toggle(func(c *Config) *bool { return &c.AllowEviction })},
	{Name: "UV_SET_TTL", Default: "72h", Allowed: allowedDuration + ", at least 24h",
		Doc: "How long a day's set of visitors is kept. Lines that are read later than this may count a visitor again until the archive corrects it.",
		set: duration(func(c *Config) *dur { return &c.UVSetTTL }, 24*hour)},

	{Name: "MYSQL_DSN", Secret: true, Allowed: "user:password@tcp(host:3306)/database, or user@unix(/run/mysqld/mysqld.sock)/database",
		Doc: "The archive. Empty: SQLite in `DATA_DIR`.",
		set: parseDSN},
	{Name: "MYSQL_TLS_CA", Allowed: allowedPEM,
		Doc: "Certificates of the authorities that MySQL's certificate is trusted by; turns TLS on. For the system's write `?tls=true` in `MYSQL_DSN`.",
		set: caFile(func(c *Config) *tlsFiles { return &c.mysqlFiles })},
	{Name: "MYSQL_TLS_CERT", Allowed: allowedPEM,
		Doc: "Our certificate, for an account with `REQUIRE X509`; turns TLS on. It is read with each connection.",
		set: text(func(c *Config) *string { return &c.mysqlFiles.cert })},
	{Name: "MYSQL_TLS_KEY", Allowed: allowedPEM,
		Doc: "The key of `MYSQL_TLS_CERT`.",
		set: text(func(c *Config) *string { return &c.mysqlFiles.key })},
	{Name: "MYSQL_CONNECTIONS", Default: "8", Allowed: "a number from 2",
		Doc: "Maximum connections to MySQL; the account must be allowed as many.",
		set: intBetween(func(c *Config) *int { return &c.MySQLConnections }, 2, 1000)},
	{Name: "MYSQL_TIMEOUT", Default: "10m", Allowed: "a duration such as 30s or 10m",
		Doc: "Timeout of a statement in MySQL. A statement that takes longer fails and is retried.",
		set: duration(func(c *Config) *time.Duration { return &c.MySQLTimeout }, time.Second)},
	{Name: "RAW_RETENTION_DAYS", Default: "90", Allowed: "a number of days; 0 keeps everything",
		Doc: "How long the archive keeps raw rows. Daily sums are kept forever.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.RawRetentionDays }, 0, 36500)},
	{Name: "IP_MODE", Default: "full", Allowed: "full, masked or none",
		Doc: "Addresses in the archive's raw rows: whole, cut to a /24 or /48, or left out.",
		set: oneOf(func(c *Config) *string { return &c.IPMode }, "full", "masked", "none")},

	{Name: "SITES", Allowed: "hosts separated by commas",
		Doc: "Sites that are counted; others are skipped. Empty: all sites are counted.", Reload: true,
		set: parseSites},
	{Name: "SITE_ALIASES", Allowed: "pairs such as blog.ddkk.com=ddkk.com, separated by commas", Pairs: true,
		Doc: "Hosts whose views count for another site.", Reload: true,
		set: parseAliases},
	{Name: "REFERER_CHECK", Default: "on", Allowed: allowedSwitch,
		Doc: "A Referer, when there is one, must be of the site itself.", Reload: true,
		set: toggle(func(c *Config) *bool { return &c.RefererCheck })},
	{Name: "PAGE_QUERY", Default: "drop", Allowed: allowedKeep,
		Doc: "Whether `?...` belongs to the page.", Reload: true,
		set: keep(func(c *Config) *bool { return &c.Page.KeepQuery })},
	{Name: "PAGE_FRAGMENT", Default: "drop", Allowed: allowedKeep,
		Doc: "Whether `#...` belongs to the page, for sites whose router lives there.", Reload: true,
		set: keep(func(c *Config) *bool { return &c.Page.KeepFragment })},
	{Name: "PAGE_KEEP_QUERY", Allowed: "names of parameters such as id,p, separated by commas; forum.ddkk.com=tid is one of that site alone, beside those of all", Pairs: true,
		Doc: "Parameters of the address that belong to the page, whatever `PAGE_QUERY` says: /post?p=2&id=1&x=3 counts as /post?id=1&p=2. They are sorted, in one spelling, and empty ones are dropped; parameters of campaigns (utm_*, ref, source, gclid and their like) are never kept. The widget sends them with `data-query`.", Reload: true,
		set: parsePageQuery},
	{Name: "PAGE_ALIASES", Allowed: "pairs such as /old -> /new or /p/:id -> /post/:id, patterns as in `API_ROUTES`, separated by commas; with a host before the old path, of that site alone", Pairs: true,
		Doc: "Pages that have another name now: views of the old name count for the new one, and whoever asks for the old one gets the new one's numbers. What follows the path stays. A new name that is an alias itself is followed; an alias that leads to itself, such as /blog/* -> /blog/*, excludes its pages from those that are less exact. The past: `recount`.", Reload: true,
		set: parsePageAliases},
	{Name: "PAGE_INDEX", Default: "keep", Allowed: "keep or strip, or per site ddkk.com=strip, separated by commas", Pairs: true,
		Doc: "`strip`: /a/index.html counts as /a/.", Reload: true,
		set: parsePageIndex},
	{Name: "PAGE_SLASH", Default: "keep", Allowed: "keep, strip or add, or per site ddkk.com=add, separated by commas", Pairs: true,
		Doc: "`strip`: /a/ counts as /a; `add`: /a counts as /a/.", Reload: true,
		set: parsePageSlash},
	{Name: "MAX_PAGES_PER_SITE", Default: "100000", Allowed: "1 to 10000000",
		Doc: "Maximum distinct pages per site and day; further ones count as `__other__`. On a day that is full, names that are asked for from many networks, or had views before, get as much room again.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.MaxPagesPerSite }, 1, 10_000_000)},
	{Name: "MAX_PAGES_EVER", Default: "500000", Allowed: "1 to 100000000",
		Doc: "Maximum distinct pages per site on all of its days: so many have totals for good. Further ones count as `__other__`, but for those that are asked for from several networks.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.MaxPagesEver }, 1, 100_000_000)},
	{Name: "MAX_SITES", Default: "10000", Allowed: "1 to 1000000",
		Doc: "Maximum distinct sites when `SITES` is empty; lines of further ones are skipped, but for those of other networks, half as many again. When all places are taken, sites that nobody came to a second time give theirs back; the archive has them until a view comes.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.MaxSites }, 1, 1_000_000)},
	{Name: "DEDUPE_WINDOW", Default: "0", Allowed: "0, a duration such as 1h, or per site ddkk.com=1h, separated by commas", Pairs: true,
		Doc: "Repeated views of a page from one address within this time count once. 0: every view counts.", Reload: true,
		set: parseDedupe},
	{Name: "PRIVACY_GPC", Default: "uv", Allowed: "uv, all or off",
		Doc: "What `Sec-GPC: 1` leaves out: the visitor (the view still counts), the whole view, or nothing.", Reload: true,
		set: parseGPC},
	{Name: "UNIQUES", Default: "day", Allowed: "day, week or month; each includes those before it",
		Doc: "How long a visitor is known again: within a day, a week (ISO 8601, from Monday) or a calendar month, in `TIMEZONE`. `week` and `month` give `site_uv_week`, `page_uv_week` and the same of the month, exact; they need `RAW_RETENTION_DAYS` of 14 and 45 at least, and the same value on every host. A week or month that began before it was counted has no number. See PRIVACY.md.",
		set: parseUniques},
	{Name: "SECRET", Secret: true, Allowed: "any text; the same on every host",
		Doc: "Key of the visitor hash. Empty: made once and kept in Redis and in the archive.",
		set: secret(func(c *Config) *Secret { return &c.Secret })},
	{Name: "BLOCK_IPS", Allowed: allowedNets,
		Doc: "Client addresses whose lines are skipped.", Reload: true,
		set: parseNets(func(c *Config) *nets { return &c.BlockIPs })},
	{Name: "SELF_IPS", Allowed: allowedNets,
		Doc: "The owner's own addresses; their lines are skipped, and told apart from blocked ones.", Reload: true,
		set: parseNets(func(c *Config) *nets { return &c.SelfIPs })},
	{Name: "BLOCK_PATHS", Allowed: "paths separated by commas; a * at the end matches what begins so",
		Doc: "Pages whose lines are skipped.", Reload: true,
		set: parseBlockPaths},
	{Name: "BOT_AGENTS", Allowed: "texts separated by commas, letter case matters",
		Doc: "User agents that contain one of these texts are bots, in addition to the built-in list.", Reload: true,
		set: func(c *Config, s string) error { c.BotAgents = splitList(s); return nil }},
	{Name: "FACETS", Default: "all", Allowed: "all, none, or some of " + strings.Join(parser.FacetNames(), ", ") + ", separated by commas",
		Doc: "What views are counted and kept by, beside their page. What is left out is neither counted nor kept in raw rows; the hour is the time, and counted always. See PRIVACY.md.", Reload: true,
		set: parseFacets},
	{Name: "GEOIP_DB", Allowed: "a path of a file in MaxMind's format (mmdb), or none",
		Doc: "The database that tells the countries of addresses, such as GeoLite2-Country, DB-IP Lite or IPinfo Lite; see docs/OPERATIONS.md. A new file at its place is noticed. Empty: the table that is shipped, of whole countries. none: countries are not counted.", Reload: true,
		set: parseGeoIP, same: func(a, b *Config) bool { return a.GeoIP.Same(b.GeoIP) }},
	{Name: "BEACON_KEY", Secret: true, Allowed: "keys of 16 characters or more, separated by commas",
		Doc: "Only beacons count that one of these keys has signed: see [API.md](API.md#signed-beacons). For pages that are rendered by a program of yours. Empty: beacons need no signature.", Reload: true,
		set: parseBeaconKey},

	{Name: "CORS_ORIGINS", Default: "*", Allowed: "*, none, or origins such as https://ddkk.com separated by commas",
		Doc: "Web origins that may read the API.", Reload: true,
		set: parseOrigins},
	{Name: "ADMIN_TOKEN", Secret: true, Allowed: "printable characters without blanks",
		Doc: "Token for the dashboard and the admin API. Empty: only requests from this machine, not through a proxy.", Reload: true,
		set: parseToken},
	{Name: "PUBLIC_SITES", Allowed: "hosts separated by commas",
		Doc: "Sites with a page (`/public/SITE`) and a badge (`/badge/SITE.svg`) that anybody may see. Empty: none.",
		set: parsePublicSites},
	{Name: "TRUSTED_PROXIES", Default: "127.0.0.0/8,::1", Allowed: allowedNets + ", or none",
		Doc: "Peers whose X-Real-IP and X-Forwarded-For are believed. Where a log has a list of addresses in place of one, the client is the last that is not of these.", Reload: true,
		set: parseNets(func(c *Config) *nets { return &c.TrustedProxies })},

	{Name: "CLIENT_IP_HEADER", Allowed: "the name of a header, such as CF-Connecting-IP, True-Client-IP, X-Real-IP, X-Forwarded-For or Forwarded",
		Doc: "The one header in which `TRUSTED_PROXIES` name the client to the daemon's own port. Ports, brackets, quotes and lists are understood. Empty: X-Real-IP, else X-Forwarded-For. Name a header only if your proxy sets it in every request: who can send it himself is whoever he says.", Reload: true,
		set: parseHeaderName},

	{Name: "API_RATE", Default: "100", Allowed: "0 to 1000000; 0: no limit",
		Doc: "Requests of one client address per second, sustained; an IPv6 client is its /64. Each 16 KiB of an answer, and each 10 ms of work on past days, counts as one more. What is over gets 429. `TRUSTED_PROXIES` themselves and this machine are not limited.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.APIRate }, 0, 1_000_000)},
	{Name: "API_BURST", Default: "500", Allowed: "1 to 1000000",
		Doc: "Burst: requests one client address may send at once after a pause.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.APIBurst }, 1, 1_000_000)},
	{Name: "BEACON_RATE", Default: "100", Allowed: "0 to 1000000; 0: no limit",
		Doc: "The same for the built-in beacon. nginx has its own limit: `nginx-conf --rate`.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.BeaconRate }, 0, 1_000_000)},
	{Name: "BEACON_BURST", Default: "500", Allowed: "1 to 1000000",
		Doc: "The same burst for the built-in beacon.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.BeaconBurst }, 1, 1_000_000)},
	{Name: "CLIENT_CONNECTIONS", Default: "256", Allowed: "0 to 1000000; 0: no limit",
		Doc: "Maximum open connections per client address, with the same exceptions.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.ClientConnections }, 0, 1_000_000)},
	{Name: "MAX_CONNECTIONS", Default: "8192", Allowed: "16 to 1000000",
		Doc: "Maximum open connections of all clients; more get 503. Each needs a file descriptor.",
		set: intBetween(func(c *Config) *int { return &c.MaxConnections }, 16, 1_000_000)},

	{Name: "TIMEZONE", Default: "Local", Allowed: "a zone such as Asia/Shanghai or UTC; Local is the machine's",
		Doc: "Time zone of the day. Changing it later splits a day.",
		set: parseTimezone},
	{Name: "ALERT_URL", Secret: true, Allowed: "an http(s) address",
		Doc: "Where alerts are posted, for those without Prometheus; see OPERATIONS. Empty: nowhere. It may hold a secret and is never shown.", Reload: true,
		set: parseAlertURL},
	{Name: "ALERT_FORMAT", Default: "auto", Allowed: strings.Join(alert.Formats(), ", "),
		Doc: "What `ALERT_URL` takes. `auto` tells it by the address's host, and is json where that tells nothing.", Reload: true,
		set: oneOf(func(c *Config) *string { return &c.AlertFormat }, alert.Formats()...)},
	{Name: "ALERT_SECRET", Secret: true, Allowed: "any text",
		Doc: "Signs what is posted to DingTalk or Feishu, where the robot is set to ask for signatures.", Reload: true,
		set: secret(func(c *Config) *Secret { return &c.AlertSecret })},
	{Name: "ALERT_REPEAT", Default: "4h", Allowed: allowedDuration + ", at least 1m",
		Doc: "An alert that is still active is posted again after this time.", Reload: true,
		set: duration(func(c *Config) *dur { return &c.AlertRepeat }, time.Minute)},
	{Name: "ALERT_TO", Allowed: "mail addresses separated by commas",
		Doc: "Who gets alerts by mail, through `SMTP_URL`, beside `ALERT_URL`. Empty: nobody.", Reload: true,
		set: parseAlertTo},
	{Name: "TRAFFIC_ALARMS", Default: "off", Allowed: "off, silence, spike or both, or per site ddkk.com=both, separated by commas", Pairs: true,
		Doc: "Alerts when a site falls silent, or rises beyond its usual range for the hour and weekday; they go to `ALERT_URL` and `ALERT_TO`, once each. See docs/REPORTS.md.", Reload: true,
		set: parseTrafficAlarms},
	{Name: "REPORT_CRON", Default: "off", Allowed: allowedCron,
		Doc: "When reports are sent, such as `0 8 * * 1`. Each is sent once for a period, whatever hosts and restarts there are; see docs/REPORTS.md.", Reload: true,
		set: schedule(func(c *Config) *Schedule { return &c.ReportCron })},
	{Name: "REPORT_TO", Allowed: "mail addresses separated by commas; ddkk.com=anna@ddkk.com gets the report of that site alone",
		Doc: "Who gets reports by mail, through `SMTP_URL`. Without a site before it: of all sites.", Reload: true,
		set: parseReportTo},
	{Name: "REPORT_URL", Secret: true, Allowed: "an http(s) address",
		Doc: "Where reports of all sites are posted: as text in the words of the services that `ALERT_FORMAT` lists, told by the address's host, and as JSON elsewhere. It may hold a secret and is never shown.", Reload: true,
		set: parseReportURL},
	{Name: "REPORT_PERIOD", Default: "week", Allowed: "day, week or month, or per site ddkk.com=month, separated by commas", Pairs: true,
		Doc: "What a report is of: the last day, week (from Monday) or calendar month that is over.", Reload: true,
		set: parseReportPeriod},
	{Name: "REPORT_LANG", Default: "en", Allowed: "en or zh",
		Doc: "Language of reports, and of `ddkk-stats report --html`.", Reload: true,
		set: oneOf(func(c *Config) *string { return &c.ReportLang }, "en", "zh")},
	{Name: "SMTP_URL", Secret: true, Allowed: "smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465, with ?ca=/path of an authority's certificate and ?starttls=required, optional or off",
		Doc: "The server that takes mails. `smtp` must become encrypted, unless it is this machine, or `starttls` says otherwise and there is no password. Special characters of a password are written %40.", Reload: true,
		set: parseSMTP},
	{Name: "SMTP_FROM", Allowed: "a mail address",
		Doc: "The sender of mails. Empty: the user of `SMTP_URL` if that is an address, else ddkk-stats at this host.", Reload: true,
		set: parseSMTPFrom},
	{Name: "METRICS_SITES", Default: "100", Allowed: "0 to 10000; 0: none",
		Doc: "Of how many sites, those with the most views today, `/metrics` has series (`ddkk_site_views_today` and others).", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.MetricsSites }, 0, 10_000)},
	{Name: "LOG_LEVEL", Default: "info", Allowed: "debug, info, warn or error",
		Doc: "Level of the daemon's own log.", Reload: true,
		set: parseLevel},
	{Name: "BATCH_SIZE", Default: "3000", Allowed: "1 to 1000000",
		Doc: "Approximate maximum of writes per commit. More is faster for a backlog and blocks Redis longer.", Reload: true,
		set: intBetween(func(c *Config) *int { return &c.BatchSize }, 1, 1_000_000)},
	{Name: "BATCH_INTERVAL", Default: "2ms", Allowed: allowedDuration + ", at most 1m",
		Doc: "Minimum time between commits when caught up. Less is fresher and costs more round trips.", Reload: true,
		set: parseBatchInterval},
	{Name: "ROTATE_CRON", Default: "0 0 * * *", Allowed: allowedCron,
		Doc: "When the log is rotated. Off: logrotate does it.", Reload: true,
		set: schedule(func(c *Config) *Schedule { return &c.RotateCron })},
	{Name: "ARCHIVE_CRON", Default: "0 3 * * *", Allowed: allowedCron,
		Doc: "When closed segments go to the archive and days are summed up.", Reload: true,
		set: schedule(func(c *Config) *Schedule { return &c.ArchiveCron })},
	{Name: "FLUSH_CRON", Default: "* * * * *", Allowed: allowedCron,
		Doc: "When `page_counts` in SQL follows the page totals, and changed ones go to `ES_URL`. Off: no mirror; see docs/MIRROR.md.", Reload: true,
		set: schedule(func(c *Config) *Schedule { return &c.FlushCron })},
	{Name: "MIRROR_SLOTS", Default: "16", Allowed: "1 to 1024",
		Doc: "Slots of `page_counts` that hosts are spread over, so that they do not wait for each other's rows. One host uses one. May be changed at any time.",
		set: intBetween(func(c *Config) *int { return &c.MirrorSlots }, 1, 1024)},
	{Name: "ES_URL", Allowed: "http://host:9200 or https://host:9200, with a path if there is one",
		Doc: "Elasticsearch or OpenSearch that gets the totals of pages that changed. Empty: none.",
		set: parseElasticURL},
	{Name: "ES_INDEX", Default: "ddkk-pages", Allowed: "the name of an index or alias",
		Doc: "The index that the totals are written into.",
		set: parseElasticIndex},
	{Name: "ES_ID", Default: "{site}{page}", Allowed: "a text with {page}, and {site} where there are several sites, best before it",
		Doc: "How a page's document is named.",
		set: parseElasticID},
	{Name: "ES_FIELDS", Default: "views,bot_views", Allowed: "two names of fields, the second may be -",
		Doc: "The fields that get a page's views of people and of bots; `-` leaves the bots out.",
		set: parseElasticFields},
	{Name: "ES_UPSERT", Default: "on", Allowed: allowedSwitch,
		Doc: "Off: only documents that exist get the numbers, such as articles that your application indexes.",
		set: toggle(func(c *Config) *bool { return &c.Elastic.Upsert })},
	{Name: "ES_USER", Allowed: "any text",
		Doc: "User of Elasticsearch, with `ES_PASSWORD`.",
		set: text(func(c *Config) *string { return &c.Elastic.User })},
	{Name: "ES_PASSWORD", Secret: true, Allowed: "any text",
		Doc: "Password of `ES_USER`.",
		set: secret(func(c *Config) *Secret { return &c.Elastic.Password })},
	{Name: "ES_API_KEY", Secret: true, Allowed: "an encoded API key",
		Doc: "API key of Elasticsearch, in place of a user.",
		set: secret(func(c *Config) *Secret { return &c.Elastic.Key })},
	{Name: "VERIFY_CRON", Default: "0 5 * * 0", Allowed: allowedCron,
		Doc: "When all numbers are recounted and compared.", Reload: true,
		set: schedule(func(c *Config) *Schedule { return &c.VerifyCron })},
}

// trim drops blanks around a value, but leaves secrets as they are.
func (s *Setting) trim(text string) string {
	if s.Secret {
		return text
	}
	return strings.TrimSpace(text)
}

// apply parses text into c. NUL and line ends fit no setting, and in a secret
// they are a mistake such as a file read with its last newline.
func (s *Setting) apply(c *Config, text string) error {
	if strings.ContainsAny(text, "\x00\r\n") {
		return errors.New("holds a line end or NUL")
	}
	return s.set(c, text)
}

// problem describes a bad value. What a reader says about a secret may quote
// it, so it is left out.
func (s *Setting) problem(text, where string, err error) error {
	e := &SettingError{Name: s.Name, Value: text, Where: where, Allowed: s.Allowed, Err: err}
	if s.Secret {
		e.Value = ""
		if _, ok := err.(unquoted); !ok {
			e.Err = errors.New("bad value")
		}
	}
	return e
}

// shown is a value as it may be printed.
func (s *Setting) shown(text string) string {
	if s.Secret {
		return Secret(text).String()
	}
	if s.shownAs != nil {
		return s.shownAs(text)
	}
	return text
}

// fileName is the setting's name in the YAML file.
func (s *Setting) fileName() string { return strings.ToLower(s.Name) }

func settingByFileName(name string) *Setting {
	for i := range Settings {
		if Settings[i].fileName() == name {
			return &Settings[i]
		}
	}
	return nil
}

func fileNames() []string {
	names := make([]string, len(Settings))
	for i := range Settings {
		names[i] = Settings[i].fileName()
	}
	return names
}
