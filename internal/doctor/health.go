package doctor

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"ddkk-stats/internal/config"
)

// healthTimeout bounds the question to whoever listens on our port.
const healthTimeout = 2 * time.Second

// askHealth asks the daemon that runs how it is; ours is false when what
// answers is not one of us.
func askHealth(ctx context.Context, cfg *config.Config) (f Finding, ours bool) {
	host := cfg.Listen
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	base, client := "http://"+net.JoinHostPort(host, strconv.Itoa(cfg.Port)), http.DefaultClient
	if cfg.Socket != "" {
		base = "http://localhost"
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", cfg.Socket)
		}}}
	}
	status, why, err := askJSON(ctx, client, base+"/readyz")
	if cfg.Socket != "" {
		base = cfg.Listen
	}
	switch {
	case err != nil:
		return Finding{}, false
	case status == http.StatusOK:
		return Fine("PORT", "the daemon answers at %s and its numbers are current", base), true
	case status == http.StatusServiceUnavailable && why != "":
		return Poor("PORT", "the daemon answers at %s, but: %s", base, why), true
	}
	return Finding{}, false
}

// askJSON asks one of the daemon's health routes.
func askJSON(ctx context.Context, client *http.Client, url string) (status int, why string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	var body struct {
		Status string `json:"status"`
		Error  struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<10)).Decode(&body); err != nil {
		return 0, "", err
	}
	if res.StatusCode == http.StatusOK && body.Status != "ok" {
		return http.StatusNotFound, "", nil
	}
	return res.StatusCode, body.Error.Message, nil
}
