package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// pack makes an archive as npm does.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, content := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBuild(t *testing.T) {
	files, err := build(pack(t, map[string]string{
		"package/other":                    "x",
		"package/LICENSE":                  "MIT",
		"package/crawler-user-agents.json": `[{"pattern":"a\\/b","instances":["one","two"],"url":"u"},{"pattern":"^c"}]`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	list := string(files["data/crawlers.txt"])
	if !strings.HasPrefix(list, "# npm "+packageName+" "+packageVersion) || !strings.HasSuffix(list, "\na\\/b\n^c\n") {
		t.Errorf("list is %q", list)
	}
	if string(files["data/crawlers.LICENSE"]) != "MIT" {
		t.Errorf("licence is %q", files["data/crawlers.LICENSE"])
	}
	zr, err := gzip.NewReader(bytes.NewReader(files["testdata/crawler_agents.txt.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	if agents, err := io.ReadAll(zr); err != nil || string(agents) != "one\ntwo\n" {
		t.Errorf("agents are %q, %v", agents, err)
	}
}

func TestBuildErrors(t *testing.T) {
	for name, tgz := range map[string][]byte{
		"no archive": []byte("x"),
		"no list":    pack(t, map[string]string{"package/LICENSE": "MIT"}),
		"bad list":   pack(t, map[string]string{"package/LICENSE": "MIT", "package/crawler-user-agents.json": "{"}),
		"bad line":   pack(t, map[string]string{"package/LICENSE": "MIT", "package/crawler-user-agents.json": `[{"pattern":"a\nb"}]`}),
	} {
		if _, err := build(tgz); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
