package workload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yaml reads one YAML document. It works on the syntax tree, not on decoded
// values, so that numbers and names such as 4e21 or 0123 stay as written and
// aliases are expanded within bounds.
func (b *builder) yaml(data []byte) (*node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, yamlError(err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlError(err)
		}
		return nil, fmt.Errorf("line %d: there is a second document; one file holds one spec", more.Line)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return &node{kind: kindNull, raw: "null"}, nil
	}
	return b.yamlValue(doc.Content[0], "", 0)
}

func yamlError(err error) error {
	if errors.Is(err, io.EOF) {
		return errEmpty
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

func (b *builder) yamlValue(y *yaml.Node, path string, depth int) (*node, error) {
	if err := b.enter(depth); err != nil {
		return nil, err
	}
	switch y.Kind {
	case yaml.AliasNode:
		return b.yamlValue(y.Alias, path, depth+1)
	case yaml.MappingNode:
		return b.yamlObject(y, path, depth)
	case yaml.SequenceNode:
		l := &node{kind: kindList}
		for i, item := range y.Content {
			v, err := b.yamlValue(item, at(path, i), depth+1)
			if err != nil {
				return nil, err
			}
			l.items = append(l.items, v)
		}
		return l, nil
	default:
		return yamlScalar(y)
	}
}

func (b *builder) yamlObject(y *yaml.Node, path string, depth int) (*node, error) {
	o := &node{kind: kindObject}
	seen := map[string]bool{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key must be a word, not a list or an object", k.Line)
		}
		if k.ShortTag() == "!!merge" {
			merges = append(merges, v)
			continue
		}
		value, err := b.yamlValue(v, join(path, k.Value), depth+1)
		if err != nil {
			return nil, err
		}
		b.put(o, seen, path, k.Value, value)
	}
	for _, m := range merges {
		if err := b.merge(o, seen, m, path, depth+1); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// merge adds what "<<" names; keys of the object itself win.
func (b *builder) merge(o *node, seen map[string]bool, y *yaml.Node, path string, depth int) error {
	from, err := b.yamlValue(y, path, depth)
	if err != nil {
		return err
	}
	sources := []*node{from}
	if from.kind == kindList {
		sources = from.items
	}
	for _, s := range sources {
		if s.kind != kindObject {
			return fmt.Errorf("line %d: << takes an object or a list of objects, got %s", y.Line, s.describe())
		}
		for _, m := range s.members {
			if !seen[m.key] {
				seen[m.key] = true
				o.members = append(o.members, m)
			}
		}
	}
	return nil
}

func yamlScalar(y *yaml.Node) (*node, error) {
	switch y.ShortTag() {
	case "!!null":
		return &node{kind: kindNull, raw: y.Value}, nil
	case "!!bool":
		n := boolNode(strings.EqualFold(y.Value, "true"))
		n.raw = y.Value
		return n, nil
	case "!!int", "!!float":
		return yamlNumber(y), nil
	case "!!str", "!!timestamp":
		return &node{kind: kindText, text: y.Value, raw: y.Value}, nil
	default:
		return nil, fmt.Errorf("line %d: the tag %s has no meaning here", y.Line, quote(y.Tag))
	}
}

// yamlNumber keeps what JSON could also have written, and brings YAML's other
// notations (0x1f, 1_000, .5, +3) into JSON's. Not-a-number and infinity stay
// text, which only a rate accepts.
func yamlNumber(y *yaml.Node) *node {
	n := &node{kind: kindNumber, text: y.Value, raw: y.Value}
	if jsonNumber.MatchString(y.Value) {
		return n
	}
	var i int64
	if y.Decode(&i) == nil && y.ShortTag() == "!!int" {
		n.text = strconv.FormatInt(i, 10)
		return n
	}
	var f float64
	if y.Decode(&f) != nil || math.IsNaN(f) {
		return &node{kind: kindText, text: y.Value, raw: y.Value}
	}
	if math.IsInf(f, 0) {
		text := strings.Replace(strings.ToLower(y.Value), ".inf", "inf", 1)
		return &node{kind: kindText, text: text, raw: y.Value}
	}
	n.text = strconv.FormatFloat(f, 'g', -1, 64)
	return n
}

// yamlNode turns a tree into YAML's syntax tree.
func (n *node) yamlNode() *yaml.Node {
	switch n.kind {
	case kindObject:
		y := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, m := range n.members {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: m.key}
			y.Content = append(y.Content, key, m.value.yamlNode())
		}
		return y
	case kindList:
		y := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, v := range n.items {
			y.Content = append(y.Content, v.yamlNode())
		}
		return y
	case kindText:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.text}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: n.raw}
	}
}
