package identity

import (
	"encoding/binary"
	"math/bits"
)

// The key of the hash. Keys live in databases: changing these constants is a new
// [MatcherVersion] and a rebuild of every presence.
const (
	hashK0 = 0x73696e65772f6964 // "sinew/id"
	hashK1 = 0x656e746974792f31 // "entity/1"
)

// hash64 is SipHash-2-4 (Aumasson and Bernstein 2012) under a fixed key: stable on
// every machine and version, well mixed in all 64 bits, and one gigabyte a second.
// It is no protection against people who look for collisions; within one family
// they could only confuse their own findings.
func hash64(p []byte) uint64 { return sipHash(hashK0, hashK1, p) }

func sipHash(k0, k1 uint64, p []byte) uint64 {
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		m := binary.LittleEndian.Uint64(p)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	for i, b := range p {
		last |= uint64(b) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}

// hashWords hashes parts that are hashes themselves. It is never 0, so that 0 can
// say that a key does not apply.
func hashWords(words ...uint64) int64 {
	var buf [64]byte
	b := buf[:0]
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return notZero(hash64(b))
}

func notZero(h uint64) int64 {
	if h == 0 {
		h = 1
	}
	return int64(h)
}
