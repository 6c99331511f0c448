package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// derive gives the key of a workspace for one purpose, from the key that the
// installation gave us for it.
func (a *Auth) derive(uuid, purpose string) ([]byte, error) {
	key, err := hkdf.Expand(sha256.New, a.key(uuid), "sinew access "+purpose+" v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
	}
	return key, nil
}

// sealer is AES-256-GCM under the key for a purpose.
func (a *Auth) sealer(uuid, purpose string) (cipher.AEAD, error) {
	key, err := a.derive(uuid, purpose)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return cipher.NewGCM(block)
}

// seal encrypts what only we may read. It opens for the same workspace, purpose
// and owner only.
func (a *Auth) seal(uuid, purpose, owner string, plain []byte) ([]byte, error) {
	aead, err := a.sealer(uuid, purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, []byte(owner)), nil
}

// open decrypts what seal made.
func (a *Auth) open(uuid, purpose, owner string, sealed []byte) ([]byte, error) {
	aead, err := a.sealer(uuid, purpose)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("open %s: it is too short", purpose)
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(owner))
	if err != nil {
		return nil, fmt.Errorf("open %s: it was made with another key, or altered", purpose)
	}
	return plain, nil
}
