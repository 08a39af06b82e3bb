package config

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redis is where Redis is and how it is spoken to. REDIS_ADDR says most of it, as
// addresses or as a URL.
type Redis struct {
	Addrs    []string // of servers, of the nodes of a cluster, or of sentinels; empty: embedded
	Cluster  bool     // the one address is a cluster's
	Master   string   // the name that sentinels know it by; empty: there are none
	Username string   // empty: Redis' default user
	Password Secret
	DB       int

	SentinelUsername string // of the sentinels themselves
	SentinelPassword Secret

	TLS      *tls.Config // nil: without
	secure   bool        // the URL asks for TLS
	files    tlsFiles
	url      bool // REDIS_ADDR is one
	dbOfURL  bool
	username string // of the URL
	password Secret
}

// IsCluster reports whether Redis is a cluster, and so whether keys carry braces.
func (r *Redis) IsCluster() bool { return r.Cluster || r.Master == "" && len(r.Addrs) > 1 }

// Where names it without secrets, for messages.
func (r *Redis) Where() string {
	text := strings.Join(r.Addrs, ",")
	if r.Master != "" {
		text = r.Master + " by the sentinels " + text
	}
	if r.TLS != nil {
		text += " (TLS)"
	}
	return text
}

// unquoted is an error whose text has nothing of the value in it, so that it may be
// shown also where the value may hold a password.
type unquoted string

func (e unquoted) Error() string { return string(e) }

const encodeIt = "; write special characters of a user or a password as %40, or use REDIS_USERNAME and REDIS_PASSWORD"

func parseRedisAddr(c *Config, s string) error {
	r := &c.Redis
	if scheme, rest, ok := strings.Cut(s, "://"); ok && !strings.ContainsAny(scheme, ",@/?:") {
		r.url = true
		return r.parseURL(strings.ToLower(scheme), rest)
	}
	addrs := splitList(s)
	for _, addr := range addrs {
		if strings.HasPrefix(addr, "/") {
			if len(addrs) > 1 {
				return errors.New("a socket cannot be one of several addresses")
			}
			continue
		}
		if err := checkHostPort(addr); err != nil {
			return err
		}
	}
	r.Addrs = addrs
	return nil
}

// parseURL reads what stands behind scheme://. Of several hosts net/url knows nothing,
// so they are taken out before it reads the rest.
func (r *Redis) parseURL(scheme, rest string) error {
	socket, port := scheme == "unix", "6379"
	switch scheme {
	case "redis", "unix":
	case "rediss":
		r.secure = true
	case "redis+sentinel":
		port = "26379"
	case "rediss+sentinel":
		r.secure, port = true, "26379"
	default:
		return unquoted("a URL begins with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	user, hosts := "", rest[:end]
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, hosts = hosts[:at+1], hosts[at+1:]
	}
	u, err := url.Parse("redis://" + user + "host" + rest[end:])
	if err != nil || strings.Contains(rest[end:], "@") {
		return unquoted("the URL cannot be read" + encodeIt)
	}
	r.username = u.User.Username()
	password, _ := u.User.Password()
	r.password = Secret(password)
	if err := r.query(u, socket); err != nil {
		return err
	}
	if socket {
		if hosts != "" || len(u.Path) < 2 {
			return unquoted("a socket's URL is unix:///run/redis/redis.sock, with three slashes")
		}
		r.Addrs = []string{u.Path}
		return nil
	}
	if r.Addrs, err = hostsOf(hosts, port); err != nil {
		return err
	}
	return r.path(strings.TrimPrefix(u.Path, "/"), strings.HasSuffix(scheme, "+sentinel"))
}

// query takes ?db=2, for sockets, whose path is the socket's.
func (r *Redis) query(u *url.URL, socket bool) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return unquoted("the end of the URL cannot be read" + encodeIt)
	}
	for name, v := range values {
		if name != "db" || !socket || len(v) != 1 {
			return unquoted("a URL has nothing behind ? but unix:///path?db=N; all else is a setting of its own")
		}
		return r.database(v[0])
	}
	return nil
}

// path takes /2, or /master and /master/2 of sentinels.
func (r *Redis) path(path string, sentinels bool) error {
	if sentinels {
		name, db, _ := strings.Cut(path, "/")
		if name == "" {
			return unquoted("sentinels need the name of the master behind the hosts, as in redis+sentinel://a:26379,b:26379/mymaster")
		}
		r.Master, path = name, db
	}
	if path == "" {
		return nil
	}
	return r.database(path)
}

func (r *Redis) database(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxDB {
		return unquoted("the database at the end of the URL is no number")
	}
	r.DB, r.dbOfURL = n, true
	return nil
}

const maxDB = 1 << 20

// hostsOf gives each host the port that it lacks.
func hostsOf(text, port string) ([]string, error) {
	var addrs []string
	for _, host := range splitList(text) {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if err := checkHostPort(host); err != nil {
			return nil, unquoted("one of the hosts is not host:port" + encodeIt)
		}
		if slices.Contains(addrs, host) {
			return nil, unquoted("a host is given twice")
		}
		addrs = append(addrs, host)
	}
	if len(addrs) == 0 {
		return nil, unquoted("the URL has no host")
	}
	return addrs, nil
}

// maskURL hides the user and the password of a URL.
func maskURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 {
		return text
	}
	return scheme + "://(set)@" + rest[at+1:]
}

// checkRedis joins what the URL says with the settings of the same things.
func (c *Config) checkRedis(problems *problemList) {
	r := &c.Redis
	wrong := func(name, where, allowed string) {
		problems.add(&SettingError{Name: name, Where: where, Allowed: allowed})
	}
	if r.username != "" {
		if r.Username != "" && r.Username != r.username {
			wrong("REDIS_USERNAME", "together with REDIS_ADDR", "one of them: the URL names another user")
		}
		r.Username = r.username
	}
	if r.password != "" {
		if r.Password != "" && r.Password != r.password {
			wrong("REDIS_PASSWORD", "together with REDIS_ADDR", "one of them: the URL has another password")
		}
		r.Password = r.password
	}
	if r.IsCluster() && r.DB != 0 {
		problems.add(&SettingError{
			Name: "REDIS_DB", Value: strconv.Itoa(r.DB), Where: "together with REDIS_CLUSTER or several REDIS_ADDR",
			Allowed: "0: a cluster has one database",
		})
	}
	if r.Master != "" && r.Cluster {
		wrong("REDIS_CLUSTER", "together with sentinels in REDIS_ADDR", "off: sentinels watch over a Redis that is no cluster")
	}
	if r.Master == "" && (r.SentinelUsername != "" || r.SentinelPassword != "") {
		wrong("REDIS_SENTINEL_USERNAME, REDIS_SENTINEL_PASSWORD", "without sentinels", "a REDIS_ADDR such as redis+sentinel://host:26379/mymaster")
	}
	if !r.secure {
		if r.files.any() {
			wrong("REDIS_TLS_CA, REDIS_TLS_CERT, REDIS_TLS_KEY", "without TLS", "a REDIS_ADDR such as rediss://host:6379")
		}
		return
	}
	r.TLS = r.files.config("REDIS_TLS", problems)
}

// parseRedisDB leaves a database alone that the URL names: the table's default comes
// after it.
func parseRedisDB(c *Config, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxDB {
		return errors.New("not such a number")
	}
	if c.Redis.dbOfURL && n == 0 {
		return nil
	}
	if c.Redis.dbOfURL && n != c.Redis.DB {
		return errors.New("REDIS_ADDR names another one")
	}
	c.Redis.DB = n
	return nil
}
