package journal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ErrNoKey is what Open says of a text whose key is not there.
var ErrNoKey = errors.New("the key that its secrets were sealed with is missing")

const (
	keySize  = 32
	keyMark  = 8 // bytes that tell which key sealed a text
	nonceLen = 12
)

// Vault seals texts with a key in a file of its own, so that a copy of the data
// folder gives no secret away. The file is made when the first text is sealed.
// Methods are safe for concurrent use.
type Vault struct {
	path string
	mu   sync.Mutex
	key  []byte
}

// NewVault returns a vault whose key lies in a file; nothing is read yet.
func NewVault(path string) *Vault { return &Vault{path: path} }

// Seal encrypts a text.
func (v *Vault) Seal(text []byte) ([]byte, error) {
	key, err := v.load(true)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceLen)
	_, _ = rand.Read(nonce) // never fails
	sealed := append(mark(key), nonce...)
	return aead.Seal(sealed, nonce, text, nil), nil
}

// Open decrypts a text that Seal made.
func (v *Vault) Open(sealed []byte) ([]byte, error) {
	key, err := v.load(false)
	if err != nil {
		return nil, err
	}
	if len(sealed) < keyMark+nonceLen || string(sealed[:keyMark]) != string(mark(key)) {
		return nil, fmt.Errorf("%w: %s holds another one", ErrNoKey, v.path)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, sealed[keyMark:keyMark+nonceLen], sealed[keyMark+nonceLen:], nil)
	if err != nil {
		return nil, fmt.Errorf("sealed text is damaged: %w", err)
	}
	return text, nil
}

// load returns the key, which it makes if asked to.
func (v *Vault) load(make bool) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key != nil {
		return v.key, nil
	}
	key, err := os.ReadFile(v.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && make:
		key, err = newKey(v.path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no file %s", ErrNoKey, v.path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("key file %s: must have %d bytes, got %d", v.path, keySize, len(key))
	}
	v.key = key
	return key, nil
}

func newKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return key, syncDir(filepath.Dir(path))
}

func mark(key []byte) []byte {
	sum := sha256.Sum256(key)
	return sum[:keyMark:keyMark]
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	return cipher.NewGCM(block)
}
