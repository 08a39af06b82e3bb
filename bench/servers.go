package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("find the repository: run this inside it")
	}
	return filepath.Dir(mod), nil
}

// buildDaemon builds as `make build` does.
func buildDaemon(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=bench", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return nil
}

// redisServer is a real Redis with the shipped configuration: AOF everysec, no
// eviction.
type redisServer struct {
	*process
	addr   string
	client *redis.Client
}

func (b *bench) startRedis(ctx context.Context) (*redisServer, error) {
	path, err := program("redis-server")
	if err != nil {
		return nil, err
	}
	conf, err := filepath.Abs(filepath.Join("deploy", "redis.conf"))
	if err != nil {
		return nil, fmt.Errorf("find redis.conf: %w", err)
	}
	dir, err := b.folder("redis")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := b.start(dir, "redis", nil, path, conf, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no")
	if err != nil {
		return nil, err
	}
	r := &redisServer{process: p, addr: net.JoinHostPort("127.0.0.1", port)}
	r.client = redis.NewClient(&redis.Options{Addr: r.addr, MaxRetries: -1, Protocol: 2, DisableIdentity: true})
	if err := p.await(ctx, 10*time.Second, func() error { return r.client.Ping(ctx).Err() }); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *redisServer) stop() error { return errors.Join(r.client.Close(), r.process.stop()) }

// daemon is the built binary, serving.
type daemon struct {
	*process
	addr string
	dir  string
}

// startDaemon starts `ddkk-stats server`; jobs of the clock are off, so that
// none of them falls into a measurement.
func (b *bench) startDaemon(env ...string) (*daemon, error) {
	dir, err := b.folder("daemon")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(),
		"PORT=" + port, "DATA_DIR=" + dir, "TIMEZONE=UTC", "LOG_LEVEL=warn",
		"ROTATE_CRON=off", "ARCHIVE_CRON=off", "FLUSH_CRON=off", "VERIFY_CRON=off",
	}, env...)
	p, err := b.start(dir, "ddkk-stats", env, b.daemon, "server")
	if err != nil {
		return nil, err
	}
	return &daemon{process: p, addr: net.JoinHostPort("127.0.0.1", port), dir: dir}, nil
}

// ready waits until the daemon counts.
func (d *daemon) ready(ctx context.Context) error {
	return d.await(ctx, 20*time.Second, func() error { return httpOK("http://" + d.addr + "/readyz") })
}

func httpOK(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// nginxServer is a real nginx with the configuration that the daemon prints.
type nginxServer struct {
	*process
	addr string
	log  string
}

// startNginx starts nginx without a rate limit; edit may change the
// configuration.
func (b *bench) startNginx(ctx context.Context, api string, edit func(string) string) (*nginxServer, error) {
	path, err := program("nginx")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("nginx")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	n := &nginxServer{addr: "127.0.0.1:" + port, log: filepath.Join(dir, "event.log")}
	conf, _, err := b.output(ctx, dir, b.daemon, "nginx-conf", "--standalone", "--listen", n.addr, "--server-name", "_",
		"--log", n.log, "--api", api, "--rate", "-1")
	if err != nil {
		return nil, err
	}
	text := string(conf)
	if edit != nil {
		text = edit(text)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("write nginx.conf: %w", err)
	}
	n.process, err = b.start(dir, "nginx", nil, path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "start.log"), "-g", "daemon off;")
	if err != nil {
		return nil, err
	}
	err = n.await(ctx, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", n.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}
