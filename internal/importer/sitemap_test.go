package importer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSitemapsLeadNowhereElse: an index may name other sitemaps on the web, and no
// file of this machine, whose content would end up in a message.
func TestSitemapsLeadNowhereElse(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var leads string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pages.xml" {
			fmt.Fprint(w, `<urlset><url><loc>https://ddkk.com/a</loc></url></urlset>`)
			return
		}
		fmt.Fprintf(w, `<sitemapindex><sitemap><loc> %s </loc></sitemap></sitemapindex>`, leads)
	}))
	defer server.Close()
	index := filepath.Join(t.TempDir(), "index.xml")
	for _, leads = range []string{secret, "file://" + secret, "/etc/passwd", "pages.xml", "ftp://ddkk.com/x", "//ddkk.com/x", "http:///x", ""} {
		text := fmt.Sprintf(`<sitemapindex><sitemap><loc>%s</loc></sitemap></sitemapindex>`, leads)
		if err := os.WriteFile(index, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{server.URL, index} {
			pages, err := Pages(t.Context(), server.Client(), from)
			if err == nil || strings.Contains(err.Error(), "the secret") || !strings.Contains(err.Error(), "no http or https address") {
				t.Errorf("%s names %q: %v, %v", from, leads, pages, err)
			}
		}
	}
	leads = server.URL + "/pages.xml"
	if pages, err := Pages(t.Context(), server.Client(), server.URL); err != nil || len(pages) != 1 {
		t.Errorf("%v, %v", pages, err)
	}
	for _, inner := range []string{"http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost./x", "http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/"} {
		if err := named("https://ddkk.com/sitemap.xml", inner); err == nil {
			t.Errorf("the web leads to %s", inner)
		}
		if err := named("sitemap.xml", inner); err != nil {
			t.Errorf("one's own list: %v", err)
		}
	}
}
