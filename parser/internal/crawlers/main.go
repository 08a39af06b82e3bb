// Command crawlers refreshes the parser's list of bots from the npm package
// crawler-user-agents. It is run by "go generate ./parser".
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What to fetch. Raise the version to refresh the list.
const (
	packageName    = "crawler-user-agents"
	packageVersion = "1.60.0"
)

// crawler is one entry of the package's list; only what is used.
type crawler struct {
	Pattern   string   `json:"pattern"`
	Instances []string `json:"instances"`
}

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "crawlers:", err)
		os.Exit(1)
	}
}

// run writes the files under dir, the parser's folder.
func run(dir string) error {
	tgz, err := fetch()
	if err != nil {
		return fmt.Errorf("fetch %s: %w", packageName, err)
	}
	files, err := build(tgz)
	if err != nil {
		return fmt.Errorf("read %s: %w", packageName, err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
	}
	return nil
}

// fetch has npm pack the package and returns the archive.
func fetch() (_ []byte, err error) {
	tmp, err := os.MkdirTemp("", "crawlers")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	cmd := exec.Command("npm", "pack", "--silent", packageName+"@"+packageVersion)
	cmd.Dir, cmd.Stderr = tmp, os.Stderr
	name, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run npm pack (is npm installed?): %w", err)
	}
	return os.ReadFile(filepath.Join(tmp, strings.TrimSpace(string(name))))
}

// build makes the files, by path, from the package's archive.
func build(tgz []byte) (map[string][]byte, error) {
	content, err := unpack(tgz, "package/crawler-user-agents.json", "package/LICENSE")
	if err != nil {
		return nil, err
	}
	var list []crawler
	if err := json.Unmarshal(content["package/crawler-user-agents.json"], &list); err != nil {
		return nil, fmt.Errorf("decode list: %w", err)
	}
	var patterns, agents bytes.Buffer
	fmt.Fprintf(&patterns, "# npm %s %s, MIT; made by go generate\n", packageName, packageVersion)
	for _, c := range list {
		if strings.HasPrefix(c.Pattern, "#") || strings.ContainsAny(c.Pattern, "\r\n") {
			return nil, fmt.Errorf("pattern %q does not fit on a line", c.Pattern)
		}
		fmt.Fprintln(&patterns, c.Pattern)
		for _, agent := range c.Instances {
			fmt.Fprintln(&agents, agent)
		}
	}
	packed, err := compress(agents.Bytes())
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"data/crawlers.txt":              patterns.Bytes(),
		"data/crawlers.LICENSE":          content["package/LICENSE"],
		"testdata/crawler_agents.txt.gz": packed,
	}, nil
}

// unpack takes the named files out of a .tgz; all must be there.
func unpack(tgz []byte, names ...string) (map[string][]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(tgz))
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	files := map[string][]byte{}
	for tr := tar.NewReader(zr); ; {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		for _, name := range names {
			if header.Name != name {
				continue
			}
			if files[name], err = io.ReadAll(tr); err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	for _, name := range names {
		if files[name] == nil {
			return nil, fmt.Errorf("no %s in the archive", name)
		}
	}
	return files, nil
}

// compress is reproducible: no name and no time in the header.
func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	zw, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zw.Write(b); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
