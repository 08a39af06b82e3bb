package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Secrets may lie in files of their own: NAME_FILE names one, and systemd's credentials
// are found by the setting's name in lower case (LoadCredential=redis_password:...).

// fileSuffix makes of a setting's name the one of its file.
const fileSuffix = "_FILE"

// maxSecretFile bounds what is read as one value.
const maxSecretFile = 64 << 10

// byFile tells whether the setting may be read from a file of its own.
func (s *Setting) byFile() bool { return s.Secret || s.shownAs != nil }

// fileOf is the setting whose file NAME_FILE names; nil: none.
func fileOf(name string) *Setting {
	base, ok := strings.CutSuffix(name, strings.ToLower(fileSuffix))
	if !ok {
		return nil
	}
	if s := settingByFileName(base); s != nil && s.byFile() {
		return s
	}
	return nil
}

// readSecret reads a value; the line end behind it is an editor's.
func readSecret(path string) (string, error) {
	data, err := readOwn(path)
	if err != nil {
		return "", err
	}
	if len(data) > maxSecretFile {
		return "", fmt.Errorf("%s has %d bytes; a value has %d at most", path, len(data), maxSecretFile)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// source is where a setting's text was found.
type source struct {
	text  string
	where string
	file  bool // text is the path of the file that has it
}

// find looks for the setting: the environment, systemd's credentials, the settings file.
// Empty texts count as not given, as compose files pass them on for unset variables.
func (s *Setting) find(env func(string) (string, bool), path string, file []fileValue) (source, error) {
	given := func(text string) bool { return strings.TrimSpace(text) != "" }
	var found []source
	if v, ok := env(s.Name); ok && given(v) {
		found = append(found, source{text: s.trim(v), where: "environment"})
	}
	if v, ok := env(s.Name + fileSuffix); ok && given(v) && s.byFile() {
		found = append(found, source{text: strings.TrimSpace(v), where: s.Name + fileSuffix + " in the environment", file: true})
	}
	if len(found) == 0 && s.byFile() {
		if dir, ok := env("CREDENTIALS_DIRECTORY"); ok && dir != "" {
			if at := filepath.Join(dir, s.fileName()); exists(at) {
				return source{text: at, where: "systemd's credential " + s.fileName(), file: true}, nil
			}
		}
	}
	if len(found) == 0 {
		for _, v := range file {
			if v.name == s.Name && given(v.text) {
				found = append(found, source{text: s.trim(v.text), where: fmt.Sprintf("%s:%d", path, v.line), file: v.secretFile})
			}
		}
	}
	switch len(found) {
	case 0:
		return source{text: s.Default, where: "default"}, nil
	case 1:
		return found[0], nil
	}
	return source{}, &SettingError{Name: s.Name, Where: found[0].where + " and " + found[1].where, Err: errors.New("given twice")}
}

// lookup finds the setting's text and says where it came from.
func (s *Setting) lookup(env func(string) (string, bool), path string, file []fileValue) (text, where string, err error) {
	from, err := s.find(env, path, file)
	if err != nil || !from.file {
		return from.text, from.where, err
	}
	if text, err = readSecret(from.text); err != nil {
		return "", "", &SettingError{Name: s.Name, Where: from.where, Err: err, Allowed: "a file with the value alone, which the daemon's user may read"}
	}
	return s.trim(text), from.where, nil
}
