package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

func TestDBKeepsWhatWasPut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"b", "a", "c"} {
		if err := db.Put(Tests, key, []byte("of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Apply(Change{Bucket: Tests, Key: "b"}, Change{Bucket: Runs, Key: "none"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = OpenDB(path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got []string
	if err := db.Each(Tests, func(key string, value []byte) error {
		got = append(got, key+"="+string(value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != "a=of a" || got[1] != "c=of c" {
		t.Errorf("got %q", got)
	}
}

func TestDBSaysWhatIsWrong(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage!"), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDB(garbage); !errors.Is(err, ErrDBDamaged) {
		t.Errorf("garbage: %v, want %v", err, ErrDBDamaged)
	}
	other := filepath.Join(t.TempDir(), "other")
	db, err := OpenDB(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDB(other); !errors.Is(err, ErrInUse) {
		t.Errorf("open twice: %v, want %v", err, ErrInUse)
	}
	if err := db.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(meta)).Put(versionKey, []byte("99")) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDB(other); !errors.Is(err, ErrDBVersion) {
		t.Errorf("version 99: %v, want %v", err, ErrDBVersion)
	}
}

func TestVaultNeedsItsKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	sealed, err := NewVault(path).Seal([]byte("sk-secret"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the sealed text shows the secret")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v %v, want mode 0600", info.Mode(), err)
	}
	if text, err := NewVault(path).Open(sealed); err != nil || string(text) != "sk-secret" {
		t.Errorf("opened %q, %v", text, err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := NewVault(path).Open(sealed); err == nil {
		t.Error("a damaged text was opened")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := NewVault(path).Open(sealed); !errors.Is(err, ErrNoKey) {
		t.Errorf("without key: %v, want %v", err, ErrNoKey)
	}
}
