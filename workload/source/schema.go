package source

import (
	"slices"

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
	{Name: "sharegpt", Description: "conversations of {from, value}", open: func(r *Reader) mapper {
		return &conversations{reader: r, only: true}
	}},
}, traces, []Schema{
	{Name: "jsonl", Description: "rows with prompt, messages or conversations", open: func(r *Reader) mapper {
		return &conversations{reader: r}
	}},
})

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
