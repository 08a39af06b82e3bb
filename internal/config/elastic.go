package config

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"ddkk-stats/internal/mirror"
)

// parseElasticURL reads ES_URL. Credentials have settings of their own, so that
// they are not printed with it.
func parseElasticURL(c *Config, text string) error {
	if text == "" {
		c.Elastic.URL = ""
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("is not the URL of a server")
	case u.User != nil:
		return errors.New("holds a user: use ES_USER and ES_PASSWORD")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query")
	}
	c.Elastic.URL = strings.TrimRight(u.String(), "/")
	return nil
}

// elasticIndex is what Elasticsearch allows, without names that begin oddly.
var elasticIndex = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,199}$`)

func parseElasticIndex(c *Config, text string) error {
	if !elasticIndex.MatchString(text) {
		return errors.New("is no index: lower-case letters, digits, . _ and -")
	}
	c.Elastic.Index = text
	return nil
}

func parseElasticID(c *Config, text string) error {
	rest := strings.NewReplacer("{site}", "", "{page}", "").Replace(text)
	switch {
	case !strings.Contains(text, "{page}"):
		return errors.New("has no {page}: all pages would be one document")
	case strings.ContainsAny(rest, "{}"):
		return errors.New("has something else in braces")
	case !mirror.Distinct(text):
		return errors.New("has {site} after {page} and nothing between them that no site's name has, such as @: two pages could be one document")
	}
	c.Elastic.ID = text
	return nil
}

var elasticField = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

func parseElasticFields(c *Config, text string) error {
	views, bots, two := strings.Cut(text, ",")
	views, bots = strings.TrimSpace(views), strings.TrimSpace(bots)
	if bots == "-" {
		bots, two = "", true
	} else if !elasticField.MatchString(bots) {
		two = false
	}
	if !two || !elasticField.MatchString(views) || views == bots {
		return errors.New("are not two names of fields")
	}
	c.Elastic.ViewsField, c.Elastic.BotsField = views, bots
	return nil
}
