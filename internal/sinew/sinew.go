// Package sinew is the vocabulary of the product: what a report says
// ([Observation]), how it arrives ([Snapshot] of a [Stream] with a [Coverage]),
// what is tracked ([Finding] with its [Presence]s), what people decide
// ([Decision]), what things are ([Asset], [Relation]) and who may see them
// ([Reader]). It holds types, codes and their validation, and refuses to hold
// behaviour: no I/O, no clock, no SQL, and nothing but the standard library.
package sinew
