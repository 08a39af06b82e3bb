package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ddkk-stats/internal/config"
)

// TestConfigPrint: what is printed is what is in force, in a form that a shell
// reads back exactly; secrets are not.
func TestConfigPrint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	const weird = `a $b "c" 'd' \e`
	yaml := "sites:\n  - ddkk.com\n  - b.example\nredis_username: \"a $b \\\"c\\\" 'd' \\\\e\"\nadmin_token: c4n4ry-8317-and-long-enough\nmysql_dsn: 'u:c4n4ry@tcp(h:3306)/d'\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := Run("test", append([]string{"--config", file, "config"}, args...), &out, &errs); code != 0 {
			t.Fatalf("%v: %s", args, &errs)
		}
		if strings.Contains(out.String(), "c4n4ry") {
			t.Errorf("%v: a secret is printed: %s", args, &out)
		}
		return out.String()
	}
	if got := ask("--print", "SITES"); got != "ddkk.com,b.example\n" {
		t.Errorf("%q", got)
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(ask("--json")), &texts); err != nil || len(texts) != len(config.Settings) {
		t.Fatal(err, texts)
	}
	if texts["REDIS_USERNAME"] != weird || texts["ADMIN_TOKEN"] != "(set)" || texts["PORT"] != "8360" {
		t.Errorf("%v", texts)
	}
	script := exec.Command("sh", "-c", ask("--print")+`printf %s "$REDIS_USERNAME"`)
	if got, err := script.Output(); err != nil || string(got) != weird {
		t.Errorf("the shell read %q, %v", got, err)
	}
	var out, errs strings.Builder
	if code := Run("test", []string{"config", "--print", "SITE"}, &out, &errs); code == 0 || !strings.Contains(errs.String(), "sites") {
		t.Errorf("an unknown name: %q", &errs)
	}
}
