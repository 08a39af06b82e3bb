package config

import (
	"github.com/go-sql-driver/mysql"
)

func parseDSN(c *Config, s string) error {
	c.MySQLDSN = Secret(s)
	if s == "" {
		return nil
	}
	dsn, err := mysql.ParseDSN(s)
	switch {
	case err != nil && len(s) > 8 && s[:8] == "mysql://":
		return unquoted("it is no URL")
	case err != nil:
		return err
	case dsn.DBName == "":
		return unquoted("no database")
	}
	return nil
}

// checkMySQL makes the TLS of connections to MySQL out of its settings. The DSN's own
// tls= stays for who needs no file.
func (c *Config) checkMySQL(problems *problemList) {
	if !c.mysqlFiles.any() {
		return
	}
	wrong := func(where, allowed string) {
		problems.add(&SettingError{Name: "MYSQL_TLS_CA, MYSQL_TLS_CERT, MYSQL_TLS_KEY", Where: where, Allowed: allowed})
	}
	dsn, err := mysql.ParseDSN(string(c.MySQLDSN))
	switch {
	case c.MySQLDSN == "" || err != nil:
		wrong("without MYSQL_DSN", "both: they are for MySQL")
		return
	case dsn.Net != "tcp":
		wrong("together with a socket in MYSQL_DSN", "an address such as tcp(host:3306): TLS is for the network")
		return
	case dsn.TLSConfig != "" && dsn.TLSConfig != "true":
		wrong("together with tls= in MYSQL_DSN", "tls=true, or no tls= at all")
		return
	}
	c.MySQLTLS = c.mysqlFiles.config("MYSQL_TLS", problems)
}
