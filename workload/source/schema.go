package source

import (
	"slices"
	"time"

	"github.com/stampede-bench/stampede/workload/dataset"
)

// Schema is one meaning that rows may have.
type Schema struct {
	Name        string
	Description string
	// needs are the columns by which it is recognised; any of several sets will do.
	needs []string
	also  [][]string
	// timed says that rows have times and are brought into their order.
	timed bool
	// open makes what maps the rows of one Reader.
	open func(r *Reader) mapper
}

// mapper turns rows into records.
type mapper interface {
	// row takes a row and returns the records that are complete with it.
	row(one *row) ([]dataset.Record, error)
	// end returns the records that are complete with the last row.
	end() ([]dataset.Record, error)
}

// schemas are recognised in this order; the last fits everything that no other
// does.
var schemas = slices.Concat([]Schema{
	{
		Name: "arena", Description: "Chatbot Arena: conversation_a with recorded arrivals",
		needs: []string{"conversation_a", "tstamp"}, timed: true,
		open: func(*Reader) mapper { return each(arena) },
	},
	{
		Name: "oasst1", Description: "OpenAssistant: a tree of messages is one visit, at recorded times",
		needs: []string{"message_tree_id", "message_id", "text"}, timed: true,
		open: func(r *Reader) mapper { return &forest{reader: r} },
	},
	{
		Name: "oasst1_trees", Description: "OpenAssistant's export form, one tree a row",
		needs: []string{"message_tree_id", "prompt"}, timed: true,
		open: func(r *Reader) mapper { return &exported{reader: r} },
	},
	{
		Name: "dolly", Description: "instruction, context and response; one visit a second",
		needs: []string{"instruction", "response"},
		open:  func(*Reader) mapper { return everySecond(dolly) },
	},
	{
		Name: "openorca", Description: "system_prompt, question and response; one visit a second",
		needs: []string{"question", "response"},
		open:  func(*Reader) mapper { return everySecond(openOrca) },
	},
	{
		Name: "mt_bench", Description: "questions of several turns",
		needs: []string{"turns"},
		open:  func(*Reader) mapper { return each(mtBench) },
	},
	{
		Name: "columns", Description: "what dataset.columns says",
		open: func(r *Reader) mapper { return &mapped{columns: r.options.Columns} },
	},
	{Name: "sharegpt", Description: "conversations of {from, value}", open: func(r *Reader) mapper {
		return &conversations{reader: r, only: true}
	}},
}, traces, []Schema{
	{Name: "jsonl", Description: "rows with prompt, messages or conversations", open: func(r *Reader) mapper {
		return &conversations{reader: r}
	}},
})

// each maps every row to one record by itself.
type each func(one *row) (dataset.Record, error)

func (f each) row(one *row) ([]dataset.Record, error) {
	r, err := f(one)
	if err != nil {
		return nil, err
	}
	return []dataset.Record{r}, nil
}

func (f each) end() ([]dataset.Record, error) { return nil, nil }

// seconds maps every row by itself and lets them arrive one a second.
type seconds struct {
	each
	n int64
}

func everySecond(f each) *seconds { return &seconds{each: f} }

func (s *seconds) row(one *row) ([]dataset.Record, error) {
	records, err := s.each.row(one)
	for i := range records {
		records[i].OffsetNanos = s.n * int64(time.Second)
		s.n++
	}
	return records, err
}

// Schemas lists what rows may mean.
func Schemas() []Schema { return append([]Schema(nil), schemas...) }

// SchemaNames are the names of Schemas.
func SchemaNames() []string {
	var names []string
	for _, s := range schemas {
		names = append(names, s.Name)
	}
	return names
}

func schemaOf(name string) *Schema {
	for i := range schemas {
		if schemas[i].Name == name {
			return &schemas[i]
		}
	}
	return nil
}

// recogniseSchema finds the schema whose columns are all there.
func recogniseSchema(columns map[string]bool) *Schema {
	for i := range schemas {
		if s := &schemas[i]; s.fits(columns) {
			return s
		}
	}
	return &schemas[len(schemas)-1]
}

func (s *Schema) fits(columns map[string]bool) bool {
	for _, needs := range append([][]string{s.needs}, s.also...) {
		if len(needs) > 0 && hasAll(columns, needs) {
			return true
		}
	}
	return false
}

func hasAll(columns map[string]bool, needs []string) bool {
	for _, n := range needs {
		if !columns[n] {
			return false
		}
	}
	return true
}
