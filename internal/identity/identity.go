// Package identity answers one question: is this the finding that we knew
// before? It derives matching keys from observations ([KeysOf]), pairs what a
// snapshot shows with what was there ([Match]), orders snapshots ([Order]), says
// when a coverage includes a place ([Covers]), what then becomes of a presence
// ([Step]) and of a finding ([Headline]), and which application a finding belongs
// to ([Rules]).
//
// Everything here is a function of its arguments. The package refuses to read a
// clock, a file or a database, and to guess: where evidence is missing it answers
// in the way that closes less. The rules are those of docs/decisions/001, 003, 004
// and 005; package model folds whole histories with them and is what the pipeline
// is checked against.
package identity

// MatcherVersion names the matching rules and keys below. It is recorded in every
// outcome; a change of any key or pass changes it.
const MatcherVersion = "matcher/v1"
