package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportBad: what cannot be imported is refused as a whole, with a message
// that says why and what to do, and changes nothing.
func TestImportBad(t *testing.T) {
	r := startRig(t, rigOptions{})
	text := readReal(t)
	lines := strings.SplitAfter(text, "\n")
	dir := TempDir(t)
	r.write(300)
	r.exact()
	zipped := gzipped(t, text)
	name := func(file, content string) string { return writeFile(t, filepath.Join(dir, file), content) }
	json := `{"time_iso8601":"2026-11-20T10:00:00+00:00","remote_addr":"203.0.113.1","request_method":"GET","request_uri":"/a","status":"200"}` + "\n"
	site := "--site=" + realSite
	good := name("good.log", text)
	for what, c := range map[string]struct {
		args []string
		want []string
	}{
		"standard input": {[]string{site, "-"}, []string{"standard input", "save it to a file"}},
		"no such file":   {[]string{site, filepath.Join(dir, "none.log")}, []string{"no such file"}},
		"a folder":       {[]string{site, dir}, []string{"no regular file"}},
		"empty":          {[]string{site, name("empty.log", "")}, []string{"is empty"}},
		"one half line":  {[]string{site, name("half.log", lines[0][:40])}, []string{"no complete line"}},
		"no log":         {[]string{site, name("image.png", "\x89PNG\r\n\x1a\n\x00\x00\nIHDR\n")}, []string{"does not read as v1, combined or json", "line 1"}},
		"a zip archive":  {[]string{site, name("x.zip", "PK\x03\x04xxxx")}, []string{"zip", "unzip -p"}},
		"CR alone":       {[]string{site, name("cr.log", strings.ReplaceAll(text, "\n", "\r"))}, []string{"CR alone", "tr "}},
		"wrong format":   {[]string{site, "--format=json", good}, []string{"does not read as json", "line 1", "looks like combined"}},
		"no site":        {[]string{good}, []string{"names no host", "--site"}},
		"bad site":       {[]string{"--site=a b", good}, []string{`"a b" is no site`}},
		"bad status":     {[]string{site, "--status=9999", good}, []string{`status "9999"`}},
		"bad pattern":    {[]string{site, "--exclude=api", good}, []string{`pattern "api"`}},
		"bad time":       {[]string{site, "--before=yesterday", good}, []string{"--before=yesterday"}},
		"cut gzip":       {[]string{site, name("cut.gz", zipped[:len(zipped)/2])}, []string{"is damaged", "nothing of it is imported"}},
		"damaged gzip":   {[]string{site, name("bad.gz", zipped[:len(zipped)-6]+"xxxxxx")}, []string{"is damaged"}},
		"one of two bad": {[]string{site, good, filepath.Join(dir, "none.log")}, []string{"no such file", "nothing was imported"}},
		"alike":          {[]string{site, good, name("part.log", strings.Join(lines[:100], ""))}, []string{"begin alike"}},
		"no host":        {[]string{"--format=json", "--as=pages", name("none.json", json), filepath.Join(dir, "none.log")}, []string{"no such file"}},
		"the daemon's":   {[]string{site, r.log}, []string{"is counted by the daemon already"}},
	} {
		out, err := Run(t, r.daemon.Env, append([]string{"import"}, c.args...)...)
		if err == nil {
			t.Errorf("%s: it was imported:\n%s", what, out)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: it said %q, want %q", what, out, w)
			}
		}
	}
	r.verified()

	// A segment of the daemon's that lies elsewhere is known by its content.
	segment := r.rotate()
	r.write(10)
	r.exact()
	data, err := os.ReadFile(segment)
	must(t, err)
	moved := name("moved", string(data))
	must(t, os.Remove(segment))
	out, err := Run(t, r.daemon.Env, "import", moved)
	if err == nil || !strings.Contains(out, "is counted by a daemon already") {
		t.Errorf("a segment of the daemon's: %v\n%s", err, out)
	}
	must(t, os.WriteFile(segment, data, 0o640))
	r.archive()
	r.deleteSegments()
	out, err = Run(t, r.daemon.Env, "import", moved)
	if err == nil || !strings.Contains(out, "counted") {
		t.Errorf("an archived segment: %v\n%s", err, out)
	}
	r.verified()
}

// TestImportOdd: what is unusual but sound is imported: CRLF, a byte order
// mark, other formats in between, binary bytes. A filtered copy of what was
// imported is told from it.
func TestImportOdd(t *testing.T) {
	r := startRig(t, rigOptions{})
	lines := strings.SplitAfter(readReal(t), "\n")
	dir := TempDir(t)
	text := strings.Join(lines[:2000], "")
	odd := "\uFEFF" + strings.ReplaceAll(text, "\n", "\r\n") +
		`{"not":"combined"}` + "\nv1\t1\t2\n\x00\x01\x02\n\n" + strings.Repeat("x", 70<<10) + "\n" + strings.Repeat("y", 300<<10) + "\n"
	record(t, r.ledger, text)
	name := writeFile(t, filepath.Join(dir, "odd.log"), odd)
	out := r.command("import", "--site", "https://www."+realSite+":443/", name)
	for _, want := range []string{"6 malformed:", "2 length", "the first malformed line is number 2001"} {
		if !strings.Contains(out, want) {
			t.Errorf("it said:\n%s\nwant %q", out, want)
		}
	}
	r.write(100)
	r.verified()

	filtered := strings.SplitAfterN(odd, "\n", 3)
	out, err := Run(t, r.daemon.Env, "import", "--site", realSite, writeFile(t, filepath.Join(dir, "filtered.log"), filtered[0]+filtered[2]))
	if err == nil || !strings.Contains(out, "cut or filtered") {
		t.Errorf("a filtered copy: %v\n%s", err, out)
	}
	edited := strings.Replace(odd, "Firefox", "Firefax", 1) + lines[2000]
	out, err = Run(t, r.daemon.Env, "import", "--site", realSite, writeFile(t, filepath.Join(dir, "edited.log"), edited))
	if err == nil || !strings.Contains(out, "filtered or edited") {
		t.Errorf("an edited copy: %v\n%s", err, out)
	}
	out, err = Run(t, r.daemon.Env, "import", "--site", realSite, "--status=2xx", writeFile(t, name, odd+lines[2000]))
	if err == nil || !strings.Contains(out, "by other rules") {
		t.Errorf("other rules: %v\n%s", err, out)
	}
	r.verified()
}

// TestImportBeacons imports v1 and JSON logs, which name their hosts.
func TestImportBeacons(t *testing.T) {
	r := startRig(t, rigOptions{})
	dir := TempDir(t)
	r.write(300)
	other := NewWriter(t, filepath.Join(dir, "event.log"), r.ledger, WriterOptions{})
	for range 500 {
		other.Write(0, r.traffic.Next())
	}
	other.Settle()
	r.command("import", filepath.Join(dir, "event.log"))
	r.verified()
}
