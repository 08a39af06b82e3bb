package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/robfig/cron/v3"
	"go.yaml.in/yaml/v3"

	"ddkk-stats/internal/cli"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
)

//go:generate go test -count 1 -run ^TestNginxExamples$ . -args -write

// nginxExamples are printed by nginx-conf, so they are what the parser reads.
var nginxExamples = []struct {
	file string
	args []string
}{
	{"own-domain.conf", []string{"--server-name", "count.ddkk.com", "--listen", "443,[::]:443", "--log", "/var/log/ddkk/event.log",
		"--cert", "/etc/letsencrypt/live/count.ddkk.com/fullchain.pem", "--key", "/etc/letsencrypt/live/count.ddkk.com/privkey.pem"}},
	{"own-site-http.conf", []string{"--part", "http", "--log", "/var/log/ddkk/event.log"}},
	{"own-site-locations.conf", []string{"--part", "locations", "--log", "/var/log/ddkk/event.log"}},
}

// TestNginxExamples: deploy/nginx is what the command prints. e2e has a real
// nginx read them.
func TestNginxExamples(t *testing.T) {
	for _, e := range nginxExamples {
		var out, problems bytes.Buffer
		if status := cli.Run("test", append([]string{"nginx-conf"}, e.args...), &out, &problems); status != 0 {
			t.Fatalf("nginx-conf %v: %s", e.args, problems.String())
		}
		text := "# Made by: ddkk-stats nginx-conf " + strings.Join(e.args, " ") + "\n" + out.String()
		path := filepath.Join("deploy", "nginx", e.file)
		if *writeGenerated {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if readDoc(t, path) != text {
			t.Errorf("%s is not up to date: run `go generate .`", path)
		}
	}
}

// composeFile is as much of the Compose Specification as deploy/compose.yaml
// uses. What is not here is an error, so that a misspelt key is noticed where no
// container engine is.
type composeFile struct {
	Name     string                     `yaml:"name"`
	Daemon   composeService             `yaml:"x-daemon"`
	Services map[string]composeService  `yaml:"services"`
	Volumes  map[string]map[string]bool `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Build       map[string]string `yaml:"build"`
	User        string            `yaml:"user"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Environment map[string]string `yaml:"environment"`
	DependsOn   yaml.Node         `yaml:"depends_on"`
	PID         string            `yaml:"pid"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Grace       string            `yaml:"stop_grace_period"`
	Restart     string            `yaml:"restart"`
}

func (s *composeService) dependsOn(t *testing.T) []string {
	t.Helper()
	var names []string
	if s.DependsOn.Kind == yaml.MappingNode {
		var on map[string]struct{ Condition string }
		if err := s.DependsOn.Decode(&on); err != nil {
			t.Fatal(err)
		}
		for name, c := range on {
			if !slices.Contains([]string{"service_started", "service_healthy", "service_completed_successfully"}, c.Condition) {
				t.Errorf("depends_on %s: condition %q", name, c.Condition)
			}
			names = append(names, name)
		}
	} else if !s.DependsOn.IsZero() {
		if err := s.DependsOn.Decode(&names); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestComposeFile stands in for `docker compose config`, which needs an engine's
// plugin: keys, references between services, volumes and files, and that the
// daemon would take the settings.
func TestComposeFile(t *testing.T) {
	decoder := yaml.NewDecoder(strings.NewReader(readDoc(t, "deploy/compose.yaml")))
	decoder.KnownFields(true)
	var file composeFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) == 0 || file.Name == "" {
		t.Fatal("no services, or no name")
	}
	for name, s := range file.Services {
		if s.Image == "" {
			t.Errorf("%s: no image", name)
		}
		for _, other := range append(s.dependsOn(t), strings.TrimPrefix(s.PID, "service:")) {
			if _, ok := file.Services[other]; !ok && other != "" {
				t.Errorf("%s: needs %q, which is no service", name, other)
			}
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, ".") {
				if _, err := os.Stat(filepath.Join("deploy", from)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := file.Volumes[from]; !ok {
				t.Errorf("%s: volume %q is not declared", name, from)
			}
			if !strings.HasPrefix(to, "/") {
				t.Errorf("%s: volume %q is put nowhere", name, v)
			}
		}
		for _, p := range s.Ports {
			if !regexp.MustCompile(`^([0-9.]+:)?[0-9]+:[0-9]+$`).MatchString(p) {
				t.Errorf("%s: port %q", name, p)
			}
		}
		if build := s.Build; build != nil {
			if _, err := os.Stat(filepath.Join("deploy", build["context"], build["dockerfile"])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	daemon := file.Services["ddkk-stats"]
	env := maps.Clone(daemon.Environment)
	for name, value := range env {
		env[name] = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(value, "$1")
		if !slices.ContainsFunc(config.Settings, func(s config.Setting) bool { return s.Name == name }) {
			t.Errorf("%s is no setting", name)
		}
	}
	cfg := configtest.Load(t, env, "")
	wantComposeAgrees(t, file.Services, cfg)
}

// wantComposeAgrees: what one service says about another is so.
func wantComposeAgrees(t *testing.T, services map[string]composeService, cfg *config.Config) {
	t.Helper()
	nginx := strings.Join(services["nginx-conf"].Command, " ")
	for what, text := range map[string]string{
		"the daemon's port":  fmt.Sprintf("--api ddkk-stats:%d ", cfg.Port),
		"the daemon's log":   "--log " + cfg.AccessLog + " ",
		"the published port": "--listen " + strings.Split(services["nginx"].Ports[0], ":")[1] + " ",
	} {
		if !strings.Contains(nginx, text) {
			t.Errorf("%s: nginx-conf has no %q in %q", what, text, nginx)
		}
	}
	file := nginx[strings.LastIndexByte(nginx, ' ')+1:]
	if !slices.Contains(services["nginx"].Entrypoint, file) {
		t.Errorf("nginx does not read %s", file)
	}
	if want := filepath.Join(filepath.Dir(cfg.AccessLog), "nginx.pid"); cfg.NginxPID != want {
		t.Errorf("NGINX_PID is %s, nginx-conf makes it %s", cfg.NginxPID, want)
	}
	if !slices.Equal(cfg.Redis.Addrs, []string{"redis:6379"}) || !strings.Contains(readDoc(t, "deploy/redis.conf"), "\nport 6379\n") {
		t.Errorf("REDIS_ADDR %q is not the service's", cfg.Redis.Addrs)
	}
	image := readDoc(t, "deploy/Dockerfile")
	for _, text := range []string{"mkdir -p " + filepath.Dir(cfg.AccessLog), fmt.Sprintf("EXPOSE %d\n", cfg.Port), "chown -R " + services["nginx"].User} {
		if !strings.Contains(image, text) {
			t.Errorf("the image has no %q", text)
		}
	}
	if services["nginx"].User != services["ddkk-stats"].User {
		t.Error("nginx and the daemon are different users: the daemon may not tell nginx to reopen the log")
	}
}

// The shipped settings are ones that the daemon takes, also with what is
// commented out.
func TestShippedSettings(t *testing.T) {
	text := readDoc(t, "deploy/ddkk-stats.yaml")
	configtest.Load(t, nil, text)
	configtest.Load(t, nil, regexp.MustCompile(`(?m)^#([a-z_]+: )`).ReplaceAllString(text, "$1"))
}

// workflow is as much of GitHub's workflow syntax as the file uses. What is not
// here is an error, since nobody runs the file before it is pushed.
type workflow struct {
	Name string
	On   struct {
		Push struct {
			Branches, Tags []string
		}
		PullRequest struct{} `yaml:"pull_request"`
		Schedule    []struct{ Cron string }
		Dispatch    struct{} `yaml:"workflow_dispatch"`
	}
	Permissions map[string]string
	Concurrency struct {
		Group  string
		Cancel bool `yaml:"cancel-in-progress"`
	}
	Jobs map[string]struct {
		If          string
		Needs       []string
		RunsOn      string `yaml:"runs-on"`
		Timeout     int    `yaml:"timeout-minutes"` // else six hours
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]any
			Env       map[string]string
		}
	}
}

func readWorkflow(t *testing.T) (flow workflow) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(readDoc(t, ".github/workflows/ci.yml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&flow); err != nil {
		t.Fatal(err)
	}
	for _, s := range flow.On.Schedule {
		if _, err := cron.ParseStandard(s.Cron); err != nil {
			t.Errorf("schedule: %v", err)
		}
	}
	for name, job := range flow.Jobs {
		if job.RunsOn == "" || job.Timeout <= 0 || len(job.Steps) == 0 {
			t.Errorf("job %s: no machine, time limit or steps", name)
		}
		for _, other := range job.Needs {
			if _, ok := flow.Jobs[other]; !ok || other == name {
				t.Errorf("job %s needs %q", name, other)
			}
		}
		for key, value := range job.Permissions {
			if !slices.Contains([]string{"read", "write", "none"}, value) {
				t.Errorf("job %s: permission %s: %s", name, key, value)
			}
		}
		for i, step := range job.Steps {
			if (step.Uses == "") == (step.Run == "") || step.Uses != "" && !regexp.MustCompile(`^[\w.-]+/[\w.-]+@v?\d`).MatchString(step.Uses) {
				t.Errorf("job %s, step %d: either run or uses of a version: %+v", name, i+1, step)
			}
		}
	}
	return flow
}

// The build servers run what is in the Makefile and .ci, and nothing else.
func TestWorkflow(t *testing.T) {
	flow := readWorkflow(t)
	makefile := readDoc(t, "Makefile")
	ran := map[string]bool{}
	for name, job := range flow.Jobs {
		for _, step := range job.Steps {
			words := strings.Fields(step.Run)
			switch {
			case len(words) == 0:
				if !strings.HasPrefix(step.Uses, "actions/") {
					t.Errorf("%s uses %q", name, step.Uses)
				}
			case words[0] == "make":
				ran[words[1]] = true
				if !regexp.MustCompile(`(?m)^` + words[1] + `:`).MatchString(makefile) {
					t.Errorf("%s: no target %s", name, words[1])
				}
			case strings.HasPrefix(words[0], ".ci/"):
				ran[words[0]] = true
				if _, err := os.Stat(words[0]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case words[0] != "gh":
				t.Errorf("%s runs %q, which a developer does not", name, step.Run)
			}
		}
	}
	for _, want := range []string{".ci/run", "lint", "vuln", "chaos", "release", "release-check"} {
		if !ran[want] {
			t.Errorf("nobody runs %s", want)
		}
	}
}
