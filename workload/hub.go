package workload

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// hubScheme begins the name of a dataset of the hub.
const hubScheme = "hf://"

// HubName is a dataset of the hub: hf://owner/name[@revision][/config/split].
type HubName struct {
	Repository    string // owner/name
	Revision      string // "" is main
	Config, Split string // both or neither
}

var hubForm = regexp.MustCompile(`^([A-Za-z0-9._-]{1,96}/[A-Za-z0-9._-]{1,96})(@[A-Za-z0-9._-]{1,100})?(?:/([^/]{1,100})/([^/]{1,100}))?$`)

// ParseHubName reads such a name.
func ParseHubName(name string) (HubName, error) {
	m := hubForm.FindStringSubmatch(strings.TrimPrefix(name, hubScheme))
	if m == nil || !strings.HasPrefix(name, hubScheme) || strings.Contains(name, "..") || !cleanText(name) {
		return HubName{}, errors.New("must be hf://OWNER/NAME[@REVISION][/CONFIG/SPLIT], got " + quote(name))
	}
	return HubName{Repository: m[1], Revision: strings.TrimPrefix(m[2], "@"), Config: m[3], Split: m[4]}, nil
}

// OnHub reports whether the data of d is to be fetched from the hub: it is named,
// and no file or uploaded data takes its place.
func (d Dataset) OnHub() bool {
	named := strings.HasPrefix(d.Name, hubScheme) || d.Name == DatasetShareGPT || slices.Contains(hubDatasets, d.Name)
	return named && d.Path == "" && d.CorpusHash == ""
}

// ParseColumns reads what holds what by the names of Columns.
func ParseColumns(named map[string]string) (*Columns, error) {
	c := &Columns{}
	fields := c.fields()
	for _, name := range sortedKeys(named) {
		i := slices.IndexFunc(fields, func(f columnField) bool { return f.name == name })
		if i < 0 {
			var known []string
			for _, f := range fields {
				known = append(known, f.name)
			}
			return nil, errors.New("must be given for " + strings.Join(known, ", ") + ", not for " + quote(name))
		}
		*fields[i].value = named[name]
	}
	return c, nil
}

type columnField struct {
	name  string
	value *string
}

func (c *Columns) fields() []columnField {
	return []columnField{
		{"prompt", &c.Prompt}, {"messages", &c.Messages}, {"system", &c.System}, {"answer", &c.Answer},
		{"time", &c.Time}, {"input_tokens", &c.InputTokens}, {"output_tokens", &c.OutputTokens},
	}
}

// columns checks which columns hold what.
func (c *checker) columns(d *Dataset) {
	m := d.Columns
	if m == nil {
		return
	}
	const path = "dataset.columns"
	switch {
	case d.Synthetic():
		c.bad(path, "must not be given for synthetic data")
	case m.Prompt == "" && m.Messages == "":
		c.bad(path, "must name the column of the prompt or of the messages")
	case m.Prompt != "" && m.Messages != "":
		c.bad(path, "must name either the column of the prompt or that of the messages")
	}
	for _, f := range m.fields() {
		if len(*f.value) > 1000 {
			c.bad(join(path, f.name), "must have at most 1000 bytes, got %d", len(*f.value))
		}
	}
	for _, f := range []struct{ name, value string }{{"prompt", m.Prompt}, {"system", m.System}} {
		if strings.Count(f.value, "{") != strings.Count(f.value, "}") {
			c.bad(join(path, f.name), "has a brace that is not closed, got %s", quote(f.value))
		}
	}
}
