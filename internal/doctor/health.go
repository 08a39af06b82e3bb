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
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port))
	status, why, err := askJSON(ctx, base+"/readyz")
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
func askJSON(ctx context.Context, url string) (status int, why string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
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
