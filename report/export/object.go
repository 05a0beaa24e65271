package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is a JSON object or YAML mapping whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

// stream is a value that writes itself as JSON, for what is too long to build.
type stream func(w *bufio.Writer) error

func (o *object) add(key string, value any) { *o = append(*o, member{key, value}) }

// addKnown adds what a pointer points at, when it does.
func addKnown[T any](o *object, key string, value *T) {
	if value != nil {
		o.add(key, *value)
	}
}

// json writes the object, indented by two blanks a level.
func (o object) json(w *bufio.Writer, level int) error {
	if len(o) == 0 {
		_, err := w.WriteString("{}")
		return err
	}
	pad := strings.Repeat("  ", level+1)
	for i, m := range o {
		open := ",\n"
		if i == 0 {
			open = "{\n"
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s%s: ", open, pad, key); err != nil {
			return err
		}
		if err := writeJSON(w, m.value, level+1); err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	_, err := w.WriteString("\n" + strings.Repeat("  ", level) + "}")
	return err
}

func writeJSON(w *bufio.Writer, value any, level int) error {
	switch v := value.(type) {
	case object:
		return v.json(w, level)
	case []object:
		return writeList(w, level, func(yield func(object) bool) {
			for _, o := range v {
				if !yield(o) {
					return
				}
			}
		})
	case func(yield func(object) bool):
		return writeList(w, level, v)
	case stream:
		return v(w)
	default:
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
}

// writeList writes objects as they come.
func writeList(w *bufio.Writer, level int, list func(yield func(object) bool)) (err error) {
	pad, first := strings.Repeat("  ", level+1), true
	for o := range list {
		open := ",\n"
		if first {
			open, first = "[\n", false
		}
		if _, err = w.WriteString(open + pad); err != nil {
			return err
		}
		if err = o.json(w, level+1); err != nil {
			return err
		}
	}
	if first {
		_, err = w.WriteString("[]")
	} else {
		_, err = w.WriteString("\n" + strings.Repeat("  ", level) + "]")
	}
	return err
}

// line is the object as one line of JSON.
func (o object) line(w *bufio.Writer) error {
	for i, m := range o {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return err
		}
		if err := w.WriteByte(open); err != nil {
			return err
		}
		if _, err := w.Write(append(key, ':')); err != nil {
			return err
		}
		if inner, ok := m.value.(object); ok && len(inner) > 0 {
			if err := inner.line(w); err != nil {
				return err
			}
			continue
		}
		if err := writeJSON(w, m.value, 0); err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	return w.WriteByte('}')
}

// yaml is the object as a YAML node.
func (o object) yaml() (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, m := range o {
		var key, value yaml.Node
		key.SetString(m.key)
		v, err := yamlValue(m.value, &value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.key, err)
		}
		n.Content = append(n.Content, &key, v)
	}
	return n, nil
}

func yamlValue(value any, n *yaml.Node) (*yaml.Node, error) {
	switch v := value.(type) {
	case object:
		return v.yaml()
	case []object:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, o := range v {
			item, err := o.yaml()
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, item)
		}
		return list, nil
	default:
		return n, n.Encode(v)
	}
}
