package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// composeRig runs what deploy/compose.yaml says without containers: each
// service's own command and environment, with its folders, names and ports
// replaced by ones of the test's own.
type composeRig struct {
	t        *testing.T
	services map[string]composeService
	places   *strings.Replacer
}

type composeService struct {
	Entrypoint, Command []string
	Environment         map[string]string
}

func readCompose(t *testing.T, places ...string) *composeRig {
	t.Helper()
	var file struct{ Services map[string]composeService }
	must(t, yaml.Unmarshal([]byte(deployFile(t, "compose.yaml")), &file))
	return &composeRig{t: t, services: file.Services, places: strings.NewReplacer(places...)}
}

// argv is what the container of a service would run.
func (c *composeRig) argv(name string) []string {
	c.t.Helper()
	s, ok := c.services[name]
	if !ok {
		c.t.Fatalf("compose.yaml has no service %s", name)
	}
	all := slices.Concat(s.Entrypoint, s.Command)
	for i := range all {
		all[i] = c.places.Replace(all[i])
	}
	return all
}

// env is the environment of a service where nobody set any of its variables.
func (c *composeRig) env(name string) map[string]string {
	env := map[string]string{}
	for k, v := range c.services[name].Environment {
		env[k] = c.places.Replace(regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(v, "$1"))
	}
	return env
}

// TestDeployCompose starts the services of compose.yaml on this machine, in the
// order of depends_on, and sends views through nginx: they count, the API
// answers through nginx, and the daemon rotates nginx's log.
func TestDeployCompose(t *testing.T) {
	t.Parallel()
	root, err := repository()
	must(t, err)
	srv, data := TempDir(t), TempDir(t)
	must(t, os.Mkdir(filepath.Join(srv, "log"), 0o755)) // the image has it
	web, api, store := fmt.Sprint(FreePort(t)), fmt.Sprint(FreePort(t)), fmt.Sprint(FreePort(t))
	c := readCompose(t, "/srv/ddkk", srv, "ddkk-stats:8360", "127.0.0.1:"+api, "--listen 8080", "--listen 127.0.0.1:"+web, "redis:6379", "127.0.0.1:"+store,
		"/etc/redis.conf", filepath.Join(root, "deploy", "redis.conf"), "/data", data, "exec ddkk-stats", "exec "+Binary(t))

	conf := c.argv("nginx-conf")
	if out, err := exec.Command(conf[0], conf[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", conf, err, out)
	}
	argv := c.argv("redis")
	if i := slices.Index(argv, "*"); i > 0 && argv[i-1] == "--bind" {
		argv[i] = "127.0.0.1" // no other address of this machine
	}
	redis := newProcess(t, "redis", program(t, argv[0]), append(argv[1:], "--port", store)...)
	redis.start()
	argv = c.argv("nginx")
	nginx := newProcess(t, "nginx", program(t, argv[0]), argv[1:]...)
	nginx.start()
	env := c.env("ddkk-stats")
	env["LISTEN"] = "127.0.0.1"                                                                // as above
	env["PORT"], env["DATA_DIR"], env["ARCHIVE_CRON"] = api, filepath.Join(srv, "data"), "off" // DATA_DIR: as in the image
	daemon := NewDaemon(t, env)
	daemon.Start()

	view := func(n int) {
		t.Helper()
		for i := range n {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%s/event.png?site=ddkk.com&page=/%d", web, i), nil)
			must(t, err)
			req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			if must(t, resp.Body.Close()); resp.StatusCode != http.StatusOK {
				t.Fatalf("nginx answers a view with %s", resp.Status)
			}
		}
	}
	counted := func(n int) {
		t.Helper()
		Eventually(t, 30*time.Second, "views count", func() error {
			resp, err := http.Post("http://127.0.0.1:"+web+"/api/stats", "application/json", strings.NewReader(`{"site":"ddkk.com","fields":["site_pv"]}`))
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err == nil && !strings.Contains(string(body), fmt.Sprintf(`"site_pv":%d`, n)) {
				err = fmt.Errorf("%s", body)
			}
			return err
		})
	}
	nginx.waitReady(20*time.Second, func() error {
		resp, err := http.Get("http://127.0.0.1:" + web + "/ready-for-tests")
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	})
	view(20)
	counted(20)
	if out, err := Run(t, env, "rotate"); err != nil {
		t.Fatalf("rotate: %v\n%s", err, out)
	}
	if names, err := filepath.Glob(env["ACCESS_LOG"] + ".*"); err != nil || len(names) != 1 {
		t.Errorf("rotated files: %v (%v)", names, err)
	}
	view(10)
	counted(30)
	checkBooks(t, daemon)
	if out, err := Run(t, env, "verify"); err != nil || !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
