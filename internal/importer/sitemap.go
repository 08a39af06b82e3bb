package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Limits of a sitemap: those of the protocol (sitemaps.org: 50 MB uncompressed,
// 50,000 addresses each), for this many files.
const (
	maxSitemapBytes = 50 << 20
	maxSitemaps     = 1000
	maxPages        = 5_000_000
)

// Pages reads the addresses of a site's pages: a sitemap or an index of
// sitemaps (XML, sitemaps.org), or a text with one address a line; plain or
// gzip; a file or an http(s) address.
func Pages(ctx context.Context, client *http.Client, location string) ([]*url.URL, error) {
	m := &sitemaps{ctx: ctx, client: client, seen: map[string]bool{}, known: map[string]bool{}}
	if err := m.read(location); err != nil {
		return nil, fmt.Errorf("read the list of pages: %w", err)
	}
	if len(m.pages) == 0 {
		return nil, fmt.Errorf("read the list of pages: %s names no page", location)
	}
	return m.pages, nil
}

type sitemaps struct {
	ctx    context.Context
	client *http.Client
	seen   map[string]bool // lists
	known  map[string]bool // pages
	pages  []*url.URL
}

func (m *sitemaps) read(location string) error {
	if m.seen[location] {
		return nil
	}
	if len(m.seen) == maxSitemaps {
		return fmt.Errorf("there are more than %d sitemaps", maxSitemaps)
	}
	m.seen[location] = true
	data, err := m.fetch(location)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n\uFEFF"), []byte("<")) {
		return m.text(data)
	}
	var doc struct {
		Sitemaps []string `xml:"sitemap>loc"`
		Pages    []string `xml:"url>loc"`
	}
	if err := xml.Unmarshal(bytes.TrimPrefix(data, []byte("\uFEFF")), &doc); err != nil {
		return fmt.Errorf("%s is no sitemap: %w", location, err)
	}
	for _, p := range doc.Pages {
		if err := m.page(p); err != nil {
			return fmt.Errorf("%s: %w", location, err)
		}
	}
	for _, s := range doc.Sitemaps {
		s = strings.TrimSpace(s)
		if err := named(location, s); err != nil {
			return fmt.Errorf("%s: %w", location, err)
		}
		if err := m.read(s); err != nil {
			return err
		}
	}
	return nil
}

// named makes sure that a list only leads where its writer may: to http(s) addresses,
// never to a file of this machine, and from elsewhere not to a server on it.
func named(by, location string) error {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("it names %q, which is no http or https address of a sitemap", location)
	}
	if from, err := url.Parse(by); err == nil && remote(from) && inside(u.Hostname()) && !inside(from.Hostname()) {
		return fmt.Errorf("it names %q, which is an address of this machine or its network", location)
	}
	return nil
}

func remote(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// inside tells hosts that mean something else on each machine.
func inside(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (m *sitemaps) text(data []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := m.page(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (m *sitemaps) page(text string) error {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no address of a page, such as https://ddkk.com/about", text)
	}
	u.Fragment = ""
	if u.Path == "" {
		u.Path = "/" // as a browser's Referer has it
	}
	if m.known[u.String()] {
		return nil
	}
	if len(m.pages) == maxPages {
		return fmt.Errorf("there are more than %d pages", maxPages)
	}
	m.known[u.String()] = true
	m.pages = append(m.pages, u)
	return nil
}

func (m *sitemaps) fetch(location string) (data []byte, err error) {
	var body io.ReadCloser
	if strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://") {
		body, err = m.get(location)
	} else {
		body, err = os.Open(location)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	in := bufio.NewReader(body)
	r := io.Reader(in)
	if magic, err := in.Peek(2); err == nil && string(magic) == "\x1f\x8b" {
		if r, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("decompress %s: %w", location, err)
		}
	}
	data, err = io.ReadAll(io.LimitReader(r, maxSitemapBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", location, err)
	}
	if len(data) > maxSitemapBytes {
		return nil, fmt.Errorf("%s is larger than 50 MB", location)
	}
	return data, nil
}

func (m *sitemaps) get(address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(m.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", address, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}
