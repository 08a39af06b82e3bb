package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigFile bounds what is parsed as YAML; a real file has a few KB.
const maxConfigFile = 1 << 20

// fileValue is one setting as the file has it.
type fileValue struct {
	name string // upper case
	text string // list items joined by commas
	line int

	secretFile bool // text is the path of the file that has it
}

// readYAML reads a flat mapping of setting names in lower case to scalars,
// lists of scalars, or, for settings of the form key=value, mappings. What is
// wrong goes to problems; the rest is returned.
func readYAML(path string, data []byte, problems *problemList) []fileValue {
	root, err := decodeYAML(data)
	if err != nil {
		problems.add(fmt.Errorf("read configuration %s: %w", path, err))
		return nil
	}
	if root == nil {
		return nil
	}
	names := fileNames()
	var values []fileValue
	seen := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		where := fmt.Sprintf("%s:%d", path, key.Line)
		s := settingByFileName(key.Value)
		secretFile := s == nil
		if secretFile {
			s = fileOf(key.Value)
		}
		if s == nil {
			problems.add(unknownName(key.Value, where, names))
			continue
		}
		if first, twice := seen[s.Name]; twice {
			problems.add(&SettingError{Name: key.Value, Where: where, Err: fmt.Errorf("already given in line %d", first)})
			continue
		}
		seen[s.Name] = key.Line
		text, err := yamlText(node, s)
		if err != nil {
			problems.add(&SettingError{Name: key.Value, Where: where, Err: err, Allowed: s.Allowed})
			continue
		}
		values = append(values, fileValue{name: s.Name, text: text, line: key.Line, secretFile: secretFile})
	}
	return values
}

// decodeYAML returns the top mapping, nil when the file holds nothing.
func decodeYAML(data []byte) (*yaml.Node, error) {
	if len(data) > maxConfigFile {
		return nil, fmt.Errorf("%d bytes are more than the %d that a configuration may have", len(data), maxConfigFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxError(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: a second document; put all settings into one", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(err)
	}
	if len(document.Content) != 1 {
		return nil, nil
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want lines of the form `name: value`", root.Line)
	}
	return root, nil
}

// syntaxError passes on what the YAML reader said, except where it quotes the
// file: an unquoted password that starts with * looks like an alias to it.
func syntaxError(err error) error {
	if strings.Contains(err.Error(), "unknown anchor") {
		return errors.New("a value that starts with * must be in quotes")
	}
	return err
}

// yamlText turns a node into the text that the environment would have.
func yamlText(node *yaml.Node, s *Setting) (string, error) {
	switch node = resolveAlias(node); node.Kind {
	case yaml.ScalarNode:
		return scalarText(node), nil
	case yaml.SequenceNode:
		return joinItems(node.Content, 1, func(item []*yaml.Node) (string, error) { return itemText(item[0]) })
	case yaml.MappingNode:
		if !s.Pairs {
			return "", errors.New("a mapping does not fit here; write a value or a list")
		}
		return joinItems(node.Content, 2, pairText)
	default:
		return "", errors.New("write a value or a list")
	}
}

// joinItems joins the texts of groups of nodes by commas.
func joinItems(nodes []*yaml.Node, group int, text func([]*yaml.Node) (string, error)) (string, error) {
	var items []string
	for i := 0; i+group <= len(nodes); i += group {
		item, err := text(nodes[i : i+group])
		if err != nil {
			return "", err
		}
		items = append(items, item)
	}
	return strings.Join(items, ","), nil
}

func pairText(pair []*yaml.Node) (string, error) {
	key, err := itemText(pair[0])
	if err != nil {
		return "", err
	}
	value, err := itemText(pair[1])
	if err != nil {
		return "", err
	}
	return key + "=" + value, nil
}

// itemText is the text of a list's item. A comma would split it in two.
func itemText(node *yaml.Node) (string, error) {
	node = resolveAlias(node)
	if node.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: a list holds plain values only", node.Line)
	}
	text := scalarText(node)
	if strings.Contains(text, ",") {
		return "", fmt.Errorf("line %d: an item with a comma; write two items", node.Line)
	}
	return text, nil
}

func scalarText(node *yaml.Node) string {
	if node.Tag == "!!null" {
		return ""
	}
	return node.Value
}

// resolveAlias follows *name to its &name. An alias of an alias cannot be
// written, so one step is enough.
func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

func unknownName(name, where string, names []string) error {
	e := &SettingError{Name: name, Where: where, Err: errors.New("unknown setting")}
	if near := nearest(strings.ToLower(name), names); near != "" {
		e.Err = fmt.Errorf("unknown setting; did you mean %s?", near)
	}
	return e
}
