package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// outside are the settings, or beginnings of their names, that reach out of the process: a
// restored copy that had them would write into what runs. The schedules as well.
var outside = []string{
	"LISTEN", "PORT", "DATA_DIR", "ACCESS_LOG", "SITE_LOG", "NGINX_PID", "LOG_RETENTION", "LOG_BUDGET", "RAW_RETENTION_DAYS",
	"REDIS_ADDR", "REDIS_CLUSTER", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_DB", "REDIS_TLS_", "REDIS_SENTINEL_",
	"MYSQL_DSN", "MYSQL_TLS_", "ALERT_", "ES_", "ROTATE_CRON", "ARCHIVE_CRON", "FLUSH_CRON", "VERIFY_CRON", "REPORT_", "SMTP_", "TRAFFIC_ALARMS",
}

func reachesOut(name string) bool {
	for _, o := range outside {
		if name == o || strings.HasSuffix(o, "_") && strings.HasPrefix(name, o) {
			return true
		}
	}
	return false
}

// ForDrill reads the settings of a backup, a YAML file and a file of environment lines,
// either of which may be missing, and returns what of them a restored copy may have, as a
// YAML file: the rules by which lines count, with their secrets. The process' own
// environment is left out.
func ForDrill(yamlPath, environmentPath string) ([]byte, error) {
	var problems problemList
	given := map[string]fileValue{}
	if data, err := readIfThere(yamlPath); err != nil {
		return nil, err
	} else if data != nil {
		for _, v := range readYAML(yamlPath, data, &problems) {
			given[v.name] = v
		}
	}
	data, err := readIfThere(environmentPath)
	if err != nil {
		return nil, err
	}
	environment, err := readEnvironment(environmentPath, string(data))
	if err != nil {
		return nil, err
	}
	for name, text := range environment { // what is no setting is for others
		switch s := settingByFileName(strings.ToLower(name)); {
		case text == "":
		case s != nil:
			given[s.Name] = fileValue{name: s.Name, text: text}
		default:
			if s := fileOf(strings.ToLower(name)); s != nil {
				given[s.Name] = fileValue{name: s.Name, text: text, secretFile: true}
			}
		}
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString("# Made of a backup's settings by ddkk-stats config --for-drill.\n")
	for i := range Settings {
		v, ok := given[Settings[i].Name]
		if !ok || reachesOut(v.name) {
			continue
		}
		if v.secretFile {
			if v.text, err = readSecret(v.text); err != nil {
				return nil, fmt.Errorf("read %s%s: %w", v.name, fileSuffix, err)
			}
		}
		text, err := json.Marshal(v.text) // is YAML as well
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", v.name, err)
		}
		fmt.Fprintf(&out, "%s: %s\n", strings.ToLower(v.name), text)
	}
	return []byte(out.String()), nil
}

// readIfThere returns nil where there is no such file, or none is named.
func readIfThere(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return data, nil
}
