// Package source reads data as others keep it (JSON, tables, traces) and yields
// it as records; Convert writes them as a corpus file. Rows are read one after
// another and never held together, and an error names file, line and column. It
// does not decide what of a record is sent or when: that is package dataset's and
// schedule's business. It opens no connections.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Input is one file.
type Input struct {
	Name string // how errors call it
	Data io.ReaderAt
	Size int64
	// Open, instead of Data and Size, is called when the file is about to be read.
	Open func() (data io.ReaderAt, size int64, err error)
}

// Options say how data is read.
type Options struct {
	// Schema names what rows mean, as Schemas lists them. Default: what the columns
	// of the first row say.
	Schema string
	// Columns says which column holds what, for the schema "columns", which it
	// implies.
	Columns workload.Columns
	// Most ends reading after so many records, where the records come in the order
	// of the rows. 0: all.
	Most int64
	// Plain refuses Parquet: what reads it believes what a file says of its own
	// sizes, and one that is damaged on purpose takes all memory. It is for data that
	// strangers send.
	Plain bool
	// ReadFile reads a file that a part of a message names. Default: such parts are
	// errors.
	ReadFile func(path string) ([]byte, error)
}

// ReadBeside reads files of this host that are named relative to the folder of
// another one.
func ReadBeside(file string) func(path string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
		}
		return os.ReadFile(path)
	}
}

// Reader reads inputs, one after another.
type Reader struct {
	inputs  []Input
	options Options
	schema  *Schema
	mapper  mapper
	yielded int64
	counts  []dataset.Note
}

// NewReader makes a Reader of inputs in the same form.
func NewReader(inputs []Input, o Options) (*Reader, error) {
	if o.Columns != (workload.Columns{}) {
		if o.Schema = "columns"; o.Columns.Prompt == "" && o.Columns.Messages == "" {
			return nil, errors.New("dataset.columns: must name the column of the prompt or of the messages")
		}
	}
	r := &Reader{inputs: inputs, options: o}
	if o.Schema != "" {
		if r.schema = schemaOf(o.Schema); r.schema == nil {
			return nil, fmt.Errorf("schema %q is not known; there are %s", o.Schema, strings.Join(SchemaNames(), ", "))
		}
	}
	return r, nil
}

// OptionsOf says how a spec's data is read.
func OptionsOf(d workload.Dataset) Options {
	o := Options{Schema: d.Schema(), Most: d.SampleSize}
	if d.Columns != nil {
		o.Columns = *d.Columns
	}
	return o
}

// Schema says what the rows were taken for, once the first was read.
func (r *Reader) Schema() string {
	if r.schema == nil {
		return ""
	}
	return r.schema.Name
}

// Notes say what was changed or left out so far.
func (r *Reader) Notes() []dataset.Note { return r.counts }

// note counts rows that were changed or left out.
func (r *Reader) note(text string, n int64) {
	i := slices.IndexFunc(r.counts, func(n dataset.Note) bool { return n.Text == text })
	if i < 0 {
		i = len(r.counts)
		r.counts = append(r.counts, dataset.Note{Text: text})
	}
	r.counts[i].Count += n
}

// Records yields the records, once. The first error is the last thing it yields.
func (r *Reader) Records() iter.Seq2[dataset.Record, error] {
	return func(yield func(dataset.Record, error) bool) {
		for _, in := range r.inputs {
			if !r.input(in, yield) {
				return
			}
		}
		if r.mapper != nil {
			r.emit(r.mapper.end, yield)
		}
	}
}

// input yields the records of one input. It is false when no more are wanted.
func (r *Reader) input(in Input, yield func(dataset.Record, error) bool) bool {
	if in.Open != nil {
		data, size, err := in.Open()
		if err != nil {
			yield(dataset.Record{}, err)
			return false
		}
		in.Data, in.Size = data, size
	}
	rows, err := open(in, r.options.Plain)
	if err != nil {
		yield(dataset.Record{}, bad(err))
		return false
	}
	if rows.records != nil {
		return r.recordsOf(rows.records, yield)
	}
	for one, err := range rows.rows {
		if err != nil {
			yield(dataset.Record{}, bad(err))
			return false
		}
		if err := r.recognise(one); err != nil {
			yield(dataset.Record{}, bad(err))
			return false
		}
		if !r.emit(func() ([]dataset.Record, error) { return r.mapper.row(one) }, yield) {
			return false
		}
	}
	return true
}

// recordsOf passes on what is in the form of records already.
func (r *Reader) recordsOf(records iter.Seq2[dataset.Record, error], yield func(dataset.Record, error) bool) bool {
	for one, err := range records {
		r.yielded++
		if !yield(one, bad(err)) || err != nil || r.full() {
			return false
		}
	}
	return true
}

// recognise settles the schema by the first row.
func (r *Reader) recognise(one *row) error {
	if r.mapper != nil {
		return nil
	}
	if r.schema == nil || r.schema.Name == "oasst1" {
		columns, err := one.columns()
		if err != nil {
			return err
		}
		switch {
		case r.schema == nil:
			r.schema = recogniseSchema(columns)
		case columns["prompt"]:
			r.schema = schemaOf("oasst1_trees") // the same data in its other form
		}
	}
	r.mapper = r.schema.open(r)
	return nil
}

func (r *Reader) emit(next func() ([]dataset.Record, error), yield func(dataset.Record, error) bool) bool {
	records, err := next()
	if err != nil {
		yield(dataset.Record{}, bad(err))
		return false
	}
	for _, one := range records {
		r.yielded++
		if !yield(one, nil) || r.full() {
			return false
		}
	}
	return true
}

func (r *Reader) full() bool {
	inOrder := r.schema == nil || !r.schema.timed
	return r.options.Most > 0 && r.yielded >= r.options.Most && inOrder
}

// opened is an input that is being read: rows, or records where the file holds
// such.
type opened struct {
	rows    iter.Seq2[*row, error]
	records iter.Seq2[dataset.Record, error]
}

// readable is what open can tell from each other.
const readable = "JSON, JSON lines, CSV, TSV and Parquet, packed by gzip or zstd, and corpus files"

// sniffBytes is how much of a file is looked at to tell its form.
const sniffBytes = 4096

// open tells the form of a file by what it holds.
func open(in Input, plain bool) (opened, error) {
	head := make([]byte, min(in.Size, sniffBytes))
	if _, err := in.Data.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return opened{}, fmt.Errorf("%s: %w", in.Name, err)
	}
	if dataset.IsFile(head) {
		f, err := dataset.OpenFile(in.Data, in.Size)
		if err != nil {
			return opened{}, fmt.Errorf("%s: %w", in.Name, err)
		}
		return opened{records: f.All()}, nil
	}
	switch kind := binaryForm(head); kind {
	case "":
	case formParquet:
		if plain {
			return opened{}, fmt.Errorf("%s: Parquet is not taken from callers; stampede dataset convert makes a corpus of it, and the stampede command and the SDK do so by themselves", in.Name)
		}
		return opened{rows: parquetRows(in)}, nil
	default:
		return opened{}, fmt.Errorf("%s: %s files can't be read; %s can", in.Name, kind, readable)
	}
	stream := io.NewSectionReader(in.Data, 0, in.Size)
	if unpack := packing(head); unpack != nil {
		return unpacked(in.Name, stream, unpack)
	}
	return text(in.Name, in.Name, stream, head)
}

// text opens what is made of lines. ending is the name whose ending may tell the
// form.
func text(ending, name string, stream io.Reader, head []byte) (opened, error) {
	if isBinary(head) {
		return opened{}, fmt.Errorf("%s: holds bytes that are no text in UTF-8; %s can be read", name, readable)
	}
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, bom) {
		head = head[len(bom):]
		if _, err := io.CopyN(io.Discard, stream, int64(len(bom))); err != nil {
			return opened{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if d := delimiter(ending, head); d != 0 {
		return opened{rows: tableRows(name, stream, d)}, nil
	}
	return opened{rows: jsonRows(name, stream)}, nil
}
