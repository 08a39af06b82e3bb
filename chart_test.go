package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
)

// renderChart renders deploy/helm with the few functions of helm's that it uses, and
// returns its objects by kind. make test-chart has helm itself do it.
func renderChart(t *testing.T, change func(values map[string]any)) map[string]map[string]any {
	t.Helper()
	const chart = "deploy/helm/ddkk-stats"
	values := map[string]any{}
	unmarshal(t, readDoc(t, filepath.Join(chart, "values.yaml")), &values)
	var about struct{ Name, Version, AppVersion string }
	unmarshal(t, strings.ReplaceAll(readDoc(t, filepath.Join(chart, "Chart.yaml")), "appVersion", "appversion"), &about)
	if change != nil {
		change(values)
	}
	root := template.New("").Option("missingkey=error")
	root.Funcs(template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := root.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"nindent": func(n int, text string) string {
			pad := strings.Repeat(" ", n)
			return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
		},
		"toYaml": func(v any) (string, error) {
			b, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(b), "\n"), err
		},
		"quote":     func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"sha256sum": func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) },
		"default": func(other, v any) any {
			if v == nil || v == "" {
				return other
			}
			return v
		},
	})
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	template.Must(root.ParseFiles(files...))
	objects := map[string]map[string]any{}
	for _, file := range files {
		if strings.HasSuffix(file, ".tpl") {
			continue
		}
		var b bytes.Buffer
		data := map[string]any{"Values": values, "Release": map[string]any{"Name": "test"}, "Chart": map[string]any{"Name": about.Name, "AppVersion": about.AppVersion}}
		if err := root.ExecuteTemplate(&b, filepath.Base(file), data); err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewDecoder(&b); ; {
			var object map[string]any
			if err := decoder.Decode(&object); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if object != nil {
				objects[fmt.Sprint(object["kind"])] = object
			}
		}
	}
	return objects
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// at follows a path of names and numbers into an object.
func at(t *testing.T, object any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := object.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("%v: no %v", path, step)
			}
			object = m[step]
		case int:
			list, ok := object.([]any)
			if !ok || step >= len(list) {
				t.Fatalf("%v: no element %d", path, step)
			}
			object = list[step]
		}
	}
	return object
}

// The chart's settings are ones that the daemon takes, those that are commented out too,
// and what one part says of another is so.
func TestChart(t *testing.T) {
	f := func(change func(map[string]any), kinds ...string) map[string]map[string]any {
		t.Helper()
		objects := renderChart(t, change)
		if got := slices.Sorted(maps.Keys(objects)); !slices.Equal(got, kinds) {
			t.Errorf("it makes %v, want %v", got, kinds)
		}
		cfg := configtest.Load(t, nil, at(t, objects["ConfigMap"], "data", "ddkk-stats.yaml").(string))
		set := at(t, objects["StatefulSet"], "spec", "template", "spec")
		nginx := at(t, set, "initContainers", 0, "args", 0).(string)
		for _, text := range []string{"--log " + cfg.AccessLog + " ", fmt.Sprintf("--api 127.0.0.1:%d ", cfg.Port),
			fmt.Sprintf("--listen %v ", at(t, set, "containers", 0, "ports", 0, "containerPort")), "> " + at(t, set, "containers", 0, "command", 2).(string)} {
			if !strings.Contains(strings.Join(strings.Fields(nginx), " ")+" ", text) {
				t.Errorf("nginx-conf has no %q: %s", text, nginx)
			}
		}
		if got := at(t, set, "containers", 1, "ports", 0, "containerPort"); got != cfg.Port {
			t.Errorf("the daemon's port is %v, its settings say %d", got, cfg.Port)
		}
		mounts := fmt.Sprint(at(t, set, "containers", 1, "volumeMounts"))
		if !strings.Contains(mounts, "mountPath:/srv/ddkk ") || !strings.HasPrefix(cfg.DataDir, "/srv/ddkk/") || !strings.HasPrefix(cfg.AccessLog, "/srv/ddkk/") || filepath.Dir(cfg.NginxPID) != filepath.Dir(cfg.AccessLog) {
			t.Errorf("data in %s, log %s, pid file %s, mounts %s", cfg.DataDir, cfg.AccessLog, cfg.NginxPID, mounts)
		}
		for _, labels := range [][]any{{"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
			if got, want := at(t, objects["StatefulSet"], labels...), at(t, objects["Service"], "spec", "selector"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v are %v, the service selects %v", labels, got, want)
			}
		}
		return objects
	}
	f(nil, "ConfigMap", "Service", "StatefulSet")
	objects := f(func(values map[string]any) {
		values["existingSecret"] = "mine"
		values["ingress"].(map[string]any)["enabled"] = true
		values["ingress"].(map[string]any)["className"] = "nginx"
		values["ingress"].(map[string]any)["tlsSecret"] = "tls"
		values["persistence"].(map[string]any)["storageClass"] = "fast"
		values["settings"].(map[string]any)["sites"] = "ddkk.com"
		values["settings"].(map[string]any)["redis_addr"] = "redis+sentinel://a:26379,b:26379/mymaster"
	}, "ConfigMap", "Ingress", "Service", "StatefulSet")
	set := at(t, objects["StatefulSet"], "spec", "template", "spec")
	where := at(t, set, "containers", 1, "env", 0, "value")
	if got := at(t, set, "containers", 1, "volumeMounts", 2, "mountPath"); got != where {
		t.Errorf("secrets are looked for in %v and lie in %v", where, got)
	}

	// Keys of the Secret are settings' names: the manual in values.yaml names some.
	dir := t.TempDir()
	for _, name := range []string{"redis_password", "admin_token", "mysql_dsn"} {
		if !strings.Contains(readDoc(t, "deploy/helm/ddkk-stats/values.yaml"), name) {
			t.Errorf("values.yaml does not name %s", name)
		}
		text := map[string]string{"mysql_dsn": "u:p@tcp(h:3306)/d"}[name]
		if text == "" {
			text = "a-secret-of-many-letters"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	cfg := configtest.Load(t, map[string]string{"CREDENTIALS_DIRECTORY": dir}, "")
	if cfg.Redis.Password == "" || cfg.AdminToken == "" || cfg.MySQLDSN == "" {
		t.Errorf("secrets by files: %v", cfg)
	}
	for _, name := range []string{"listen", "port", "access_log", "nginx_pid", "data_dir", "trusted_proxies"} {
		if !slices.ContainsFunc(config.Settings, func(s config.Setting) bool { return strings.ToLower(s.Name) == name }) {
			t.Errorf("the chart sets %s, which is no setting", name)
		}
	}
}
