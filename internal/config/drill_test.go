package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadEnvironment(t *testing.T) {
	text := "# a\n; b\nexport A=1\nB = two words \nC='it''s $HOME' \nD=\"a \\\"b\\\" \\$x \\n\" \r\nE=a\\ b\\\\\nF=\nG='two\nlines'\nH=one \\\n two\nI=x=y#z"
	all, err := readEnvironment("f", text)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "1", "B": "two words", "C": "its $HOME", "D": `a "b" $x \n`, "E": `a b\`, "F": "", "G": "two\nlines", "H": "one  two", "I": "x=y#z"} {
		if got, ok := all[name]; got != want || !ok {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, bad := range []string{"A", "=x", "A B=c", "A='x", `A="x`, `A=x\`} {
		if _, err := readEnvironment("f", bad); err == nil || !strings.Contains(err.Error(), "f:1:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What a drill is given counts lines as the service does, and reaches nothing outside.
func TestForDrill(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := file("key", "a key with $ and ' of 16\n")
	yaml := file("y.yaml", `
sites:
  - a.example
  - b.example
site_aliases:
  www.a.example: a.example
redis_addr: 10.0.0.1:6379
redis_password: pw
redis_prefix: p
mysql_tls_ca: /nowhere/ca.pem
secret: "in yaml"
block_paths: ["/x y", '/$z']
archive_cron: "@daily"
`)
	env := file("env", "SECRET='in $the environment'\nTIMEZONE=Europe/Berlin\nALERT_URL=http://x/\nES_URL=http://y/\nPATH=/bin\nBEACON_KEY_FILE="+key+"\nSITES=\n")
	out, err := ForDrill(yaml, env)
	if err != nil {
		t.Fatal(err)
	}
	path := file("out.yaml", string(out))
	c, err := Load(path, func(name string) (string, bool) {
		v, ok := map[string]string{"DATA_DIR": dir}[name]
		return v, ok
	})
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for name, want := range map[string]string{
		"SITES": "a.example,b.example", "SITE_ALIASES": "www.a.example=a.example", "SECRET": "in $the environment", "TIMEZONE": "Europe/Berlin",
		"BLOCK_PATHS": "/x y,/$z", "REDIS_PREFIX": "p", "BEACON_KEY": "a key with $ and ' of 16",
	} {
		if c.texts[name] != want {
			t.Errorf("%s is %q, want %q", name, c.texts[name], want)
		}
	}
	for _, no := range []string{"10.0.0.1", "pw", "nowhere", "http", "daily", "path:", "/bin"} {
		if strings.Contains(string(out), no) {
			t.Errorf("%q is left in\n%s", no, out)
		}
	}
	if out, err := ForDrill(filepath.Join(dir, "none"), ""); err != nil || strings.Contains(string(out), ":") && strings.Count(string(out), "\n") != 1 {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := ForDrill(file("bad.yaml", "no_such: 1\n"), ""); err == nil {
		t.Error("an unknown setting is taken")
	}
}

// Each setting is either a rule that a drill takes or known to reach out.
func TestOutsideNamesSettings(t *testing.T) {
	for _, o := range outside {
		found := false
		for i := range Settings {
			found = found || Settings[i].Name == o || strings.HasSuffix(o, "_") && strings.HasPrefix(Settings[i].Name, o)
		}
		if !found {
			t.Errorf("there is no setting %s", o)
		}
	}
}
