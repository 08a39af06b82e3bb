package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// pageSettings are the settings of pages' names as they were read, by site; "" has those
// of all sites that have none of their own.
type pageSettings struct {
	index   map[string]bool
	slash   map[string]parser.SlashRule
	query   map[string]*parser.QueryNames
	aliases map[string]*parser.PageAliases
	left    []string // names in PAGE_KEEP_QUERY that are never kept
}

// PageOf is the name of a page of a site as it is counted.
func (c *Config) PageOf(site string, raw []byte) string {
	rules, ok := c.PageSites[site]
	if !ok {
		rules = c.Page
	}
	return string(rules.Normalize(nil, raw))
}

// joinPages makes the rules of all sites and of those that have their own.
func (c *Config) joinPages(problems *problemList) {
	p := &c.pages
	c.Page.StripIndex, c.Page.Slash, c.Page.Query, c.Page.Aliases = p.index[""], p.slash[""], p.query[""], p.aliases[""]
	c.PageSites = map[string]parser.PageRules{}
	join(c, problems, "PAGE_INDEX", p.index, func(r *parser.PageRules, v bool) { r.StripIndex = v })
	join(c, problems, "PAGE_SLASH", p.slash, func(r *parser.PageRules, v parser.SlashRule) { r.Slash = v })
	join(c, problems, "PAGE_KEEP_QUERY", p.query, func(r *parser.PageRules, v *parser.QueryNames) { r.Query = v })
	join(c, problems, "PAGE_ALIASES", p.aliases, func(r *parser.PageRules, v *parser.PageAliases) { r.Aliases = v })
}

func join[T any](c *Config, problems *problemList, name string, of map[string]T, set func(*parser.PageRules, T)) {
	for _, site := range slices.Sorted(maps.Keys(of)) {
		if site == "" {
			continue
		}
		if len(c.Sites) > 0 && !slices.Contains(c.Sites, site) {
			problems.add(&SettingError{Name: name, Value: site, Where: "together with SITES", Allowed: "sites that are in SITES"})
		}
		rules, ok := c.PageSites[site]
		if !ok {
			rules = c.Page
		}
		set(&rules, of[site])
		c.PageSites[site] = rules
	}
}

// wordBySite reads a word for all sites and site=word for others.
func wordBySite[T any](s string, words map[string]T) (map[string]T, error) {
	of := map[string]T{}
	for _, item := range splitList(s) {
		site, word, own := strings.Cut(item, "=")
		if !own {
			site, word = "", item
		}
		value, ok := words[strings.ToLower(strings.TrimSpace(word))]
		if !ok {
			return nil, fmt.Errorf("%q is not one of the words", strings.TrimSpace(word))
		}
		if own {
			var err error
			if site, err = siteHost(strings.TrimSpace(site)); err != nil {
				return nil, err
			}
		}
		if _, twice := of[site]; twice {
			return nil, fmt.Errorf("%q is the second word for the same sites", item)
		}
		of[site] = value
	}
	if len(of) == 0 {
		return nil, errors.New("not one of the words")
	}
	return of, nil
}

func parsePageIndex(c *Config, s string) (err error) {
	c.pages.index, err = wordBySite(s, map[string]bool{"keep": false, "strip": true})
	return err
}

func parsePageSlash(c *Config, s string) (err error) {
	c.pages.slash, err = wordBySite(s, map[string]parser.SlashRule{"keep": parser.SlashKeep, "strip": parser.SlashStrip, "add": parser.SlashAdd})
	return err
}

// parsePageQuery reads names of parameters; site=name is one of that site, beside those of
// all sites.
func parsePageQuery(c *Config, s string) error {
	names := map[string][]string{}
	for _, item := range splitList(s) {
		site, name, own := strings.Cut(item, "=")
		if !own {
			site, name = "", item
		} else {
			var err error
			if site, err = siteHost(strings.TrimSpace(site)); err != nil {
				return err
			}
		}
		name = strings.TrimSpace(name)
		names[site] = append(names[site], name)
		if parser.IsCampaignParam(name) {
			c.pages.left = append(c.pages.left, name)
		}
	}
	c.pages.query = map[string]*parser.QueryNames{}
	for site, own := range names {
		if site != "" {
			own = append(own, names[""]...)
		}
		q, err := parser.NewQueryNames(own)
		if err != nil {
			return err
		}
		c.pages.query[site] = q
	}
	return nil
}

// parsePageAliases reads "/old -> /new"; a host before the old path makes it one of that
// site, which then comes before those of all sites. The file's mappings have "=".
func parsePageAliases(c *Config, s string) error {
	lists := map[string][]parser.PageAlias{}
	for _, item := range splitList(s) {
		from, to, ok := strings.Cut(item, "->")
		if !ok {
			i := strings.Index(item, "=/")
			if i < 0 {
				return fmt.Errorf("%q is not of the form /old -> /new", item)
			}
			from, to = item[:i], item[i+1:]
		}
		from, to = strings.TrimSpace(from), strings.TrimSpace(to)
		site := ""
		if i := strings.IndexByte(from, '/'); i > 0 {
			var err error
			if site, err = siteHost(from[:i]); err != nil {
				return err
			}
			from = from[i:]
		}
		lists[site] = append(lists[site], parser.PageAlias{From: from, To: to})
	}
	c.pages.aliases = map[string]*parser.PageAliases{}
	for _, site := range slices.Sorted(maps.Keys(lists)) {
		list := lists[site]
		if site != "" {
			list = append(list, lists[""]...)
		}
		a, err := parser.NewPageAliases(list)
		if err != nil {
			return err
		}
		c.pages.aliases[site] = a
	}
	return nil
}

// pageWarnings tell what was set and has no effect.
func (c *Config) pageWarnings() (w []string) {
	if len(c.pages.left) > 0 {
		w = append(w, fmt.Sprintf("PAGE_KEEP_QUERY names %s: parameters of campaigns are never part of a page; they are counted as campaigns", strings.Join(c.pages.left, ", ")))
	}
	if c.Page.KeepQuery && len(c.pages.query) > 0 {
		w = append(w, "PAGE_QUERY=keep has no effect where PAGE_KEEP_QUERY names what is kept")
	}
	return w
}
