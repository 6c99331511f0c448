// Package repotest holds the rules of this repository as tests: which package
// may import which, what pure means, that every package says what it is for,
// that both databases have the same migrations, and which requirement is cited
// by which test. Each failure says what to do. It has no code of its own, and
// no rule that a linter can check belongs here.
package repotest

// The tables that the tests write:
//go:generate go test -run ^TestRequirementsStatus$ . -update
