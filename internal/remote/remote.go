// Package remote asks a running daemon by its admin API, as commands do whose numbers are
// in the daemon alone.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/reports"
)

// Daemon is one that runs.
type Daemon struct {
	base, token string
	client      *http.Client
}

const (
	askTimeout = 30 * time.Second
	// answerLimit bounds an answer: ten thousand sites with a month of days are 3 MB.
	answerLimit = 64 << 20
)

// Of is the daemon of these settings.
func Of(cfg *config.Config) *Daemon {
	host := cfg.Listen
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	d := &Daemon{base: "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)), token: string(cfg.AdminToken), client: &http.Client{Timeout: askTimeout}}
	if cfg.Socket != "" {
		d.base = "http://localhost"
		d.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", cfg.Socket)
		}}
	}
	return d
}

// At is the daemon at an address, for whoever has the token.
func At(address, token string) (*Daemon, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("--url must be an address such as https://stats.ddkk.com")
	}
	return &Daemon{base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), token: token, client: &http.Client{Timeout: askTimeout}}, nil
}

// Get reads one of the daemon's answers.
func (d *Daemon) Get(ctx context.Context, route string, query url.Values, out any) (err error) {
	address := d.base + route
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the daemon, does it run?: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var said struct {
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(body, &said); err != nil { // it comes from something between
			said.Error.Message = http.StatusText(res.StatusCode)
		}
		return &Refusal{route, res.StatusCode, said.Error.Message}
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the daemon's answer to %s: %w", route, err)
	}
	return nil
}

// Refusal is an answer that is none.
type Refusal struct {
	Route  string
	Status int
	Said   string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the daemon answers %s with status %d: %s", r.Route, r.Status, r.Said)
}

// figure is what all answers of figures have.
type figure struct {
	Stale  bool   `json:"stale"`
	Reason string `json:"stale_reason"`
}

func (f *figure) err() error {
	if f.Stale {
		return fmt.Errorf("%w: %s", reports.ErrStale, f.Reason)
	}
	return nil
}

func span(site string, from, to time.Time, more ...string) url.Values {
	q := url.Values{"site": {site}, "from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

// Sites implements reports.Source.
func (d *Daemon) Sites(ctx context.Context) ([]string, error) {
	var got struct {
		figure
		Sites []struct {
			Site string `json:"site"`
		} `json:"sites"`
	}
	if err := d.Get(ctx, "/api/admin/sites", nil, &got); err != nil {
		return nil, err
	}
	names := make([]string, len(got.Sites))
	for i, s := range got.Sites {
		names[i] = s.Site
	}
	return names, got.err()
}

// Sums implements reports.Source.
func (d *Daemon) Sums(ctx context.Context, site string, from, to time.Time) (reports.Sums, error) {
	var got struct {
		figure
		Current struct {
			PV int64 `json:"pv"`
			UV int64 `json:"uv"`
		} `json:"current"`
	}
	if err := d.Get(ctx, "/api/admin/summary", span(site, from, to), &got); err != nil {
		return reports.Sums{}, err
	}
	return reports.Sums(got.Current), got.err()
}

// Days implements reports.Source.
func (d *Daemon) Days(ctx context.Context, site string, from, to time.Time) ([]reports.Day, error) {
	var got struct {
		figure
		History []struct {
			Date string `json:"date"`
			PV   int64  `json:"pv"`
			UV   int64  `json:"uv"`
		} `json:"history"`
	}
	if err := d.Get(ctx, "/api/history", span(site, from, to), &got); err != nil {
		return nil, err
	}
	var days []reports.Day
	for _, p := range got.History {
		at, err := time.Parse(time.DateOnly, p.Date)
		if err != nil {
			return nil, fmt.Errorf("read a day: %w", err)
		}
		days = append(days, reports.Day{Date: at, Sums: reports.Sums{PV: p.PV, UV: p.UV}})
	}
	return days, got.err()
}

// Pages implements reports.Source.
func (d *Daemon) Pages(ctx context.Context, site string, from, to time.Time, limit int) ([]reports.Row, error) {
	var got struct {
		figure
		Pages []struct {
			Page string `json:"page"`
			PV   int64  `json:"pv"`
			UV   *int64 `json:"uv"`
		} `json:"pages"`
	}
	if err := d.Get(ctx, "/api/admin/pages", span(site, from, to, "limit", strconv.Itoa(limit)), &got); err != nil {
		return nil, err
	}
	rows := make([]reports.Row, len(got.Pages))
	for i, p := range got.Pages {
		rows[i] = reports.Row{Name: p.Page, PV: p.PV, UV: p.UV}
	}
	return rows, got.err()
}

// Facet implements reports.Source.
func (d *Daemon) Facet(ctx context.Context, site, facet string, from, to time.Time, limit int) ([]reports.Row, error) {
	var got struct {
		figure
		Rows []struct {
			Name string `json:"name"`
			PV   int64  `json:"pv"`
			UV   *int64 `json:"uv"`
		} `json:"rows"`
	}
	err := d.Get(ctx, "/api/admin/facets", span(site, from, to, "facet", facet, "limit", strconv.Itoa(limit)), &got)
	if r := (*Refusal)(nil); errors.As(err, &r) && r.Status == http.StatusBadRequest {
		return nil, nil // it is not counted: there is no GEOIP_DB, or FACETS leaves it out
	}
	rows := make([]reports.Row, len(got.Rows))
	for i, r := range got.Rows {
		rows[i] = reports.Row(r)
	}
	return rows, errors.Join(err, got.err())
}
