package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// What can be wrong with a database as a whole; errors wrap one of these.
var (
	ErrInUse      = errors.New("the data folder is in use by another controller")
	ErrDBDamaged  = errors.New("the database is damaged")
	ErrDBVersion  = errors.New("the database was written by another version")
	errNoDatabase = errors.New("not a database of a controller")
)

// Bucket names a table of the database.
type Bucket string

// Tables: what is registered, its runs, what a run needs to be resumed, and up to
// where its permits may reach.
const (
	Tests    Bucket = "tests"
	Runs     Bucket = "runs"
	Resumes  Bucket = "resumes"
	Ceilings Bucket = "ceilings"

	meta Bucket = "meta"
)

var buckets = []Bucket{Tests, Runs, Resumes, Ceilings}

const (
	dbVersion = 1
	// lockPatience is how long another process may take to let go of the file.
	lockPatience = 2 * time.Second
)

var versionKey = []byte("version")

// DB holds small values that must survive. A call that changes something returns
// when that is safe. Methods are safe for concurrent use.
type DB struct{ bolt *bbolt.DB }

// OpenDB opens or creates a database. A file of another version, or one that is
// damaged, is an error that says so; it is left as it is.
func OpenDB(path string) (db *DB, err error) {
	defer func() {
		if broken := recover(); broken != nil { // bbolt does on pages that make no sense
			db, err = nil, fmt.Errorf("%s: %w: %v", path, ErrDBDamaged, broken)
		}
	}()
	_, statErr := os.Stat(path)
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockPatience})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDBDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &DB{bolt: bolt}
	if err := d.prepare(errors.Is(statErr, fs.ErrNotExist)); err != nil {
		_ = bolt.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// prepare checks the version, or writes it into a new file.
func (d *DB) prepare(fresh bool) error {
	return d.bolt.Update(func(tx *bbolt.Tx) error {
		if m := tx.Bucket([]byte(meta)); m != nil {
			return checkVersion(m.Get(versionKey))
		}
		if name, _ := tx.Cursor().First(); name != nil && !fresh {
			return errNoDatabase
		}
		m, err := tx.CreateBucketIfNotExists([]byte(meta))
		if err != nil {
			return err
		}
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return m.Put(versionKey, []byte(strconv.Itoa(dbVersion)))
	})
}

func checkVersion(said []byte) error {
	if string(said) != strconv.Itoa(dbVersion) {
		return fmt.Errorf("%w: its format is %.20q, this version knows %d", ErrDBVersion, said, dbVersion)
	}
	return nil
}

// Put sets a value.
func (d *DB) Put(b Bucket, key string, value []byte) error {
	err := d.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(b)).Put([]byte(key), value) })
	return wrap("write", b, key, err)
}

// Get returns a copy of a value, or nil.
func (d *DB) Get(b Bucket, key string) (value []byte, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		value = append(value, tx.Bucket([]byte(b)).Get([]byte(key))...)
		return nil
	})
	return value, wrap("read", b, key, err)
}

// Change sets a value, or with none removes what is there.
type Change struct {
	Bucket Bucket
	Key    string
	Value  []byte
}

// Apply makes several changes in one step: all of them survive, or none.
func (d *DB) Apply(changes ...Change) error {
	return d.bolt.Update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			b, key := tx.Bucket([]byte(c.Bucket)), []byte(c.Key)
			if c.Value == nil {
				if err := b.Delete(key); err != nil {
					return wrap("delete", c.Bucket, c.Key, err)
				}
				continue
			}
			if err := b.Put(key, c.Value); err != nil {
				return wrap("write", c.Bucket, c.Key, err)
			}
		}
		return nil
	})
}

// CopyTo writes the database as it is at this moment.
func (d *DB) CopyTo(path string) error {
	return d.bolt.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o600) })
}

// Each hands the values of a table to visit, by rising key. They are valid until
// visit returns.
func (d *DB) Each(b Bucket, visit func(key string, value []byte) error) error {
	return d.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(b)).ForEach(func(k, v []byte) error { return visit(string(k), v) })
	})
}

// Close ends all use of the database.
func (d *DB) Close() error { return d.bolt.Close() }

func wrap(what string, b Bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journal: %s %s %s: %w", what, b, key, err)
}
