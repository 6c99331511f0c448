package store

import (
	"bytes"
	"math"
	"slices"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// A sieve decides which entries of segments are worth a look at their rows. It
// lets through every entry whose row fulfils the filter, and may let through
// others: terms that entries know nothing of are left to the rows.
type sieve struct {
	strings []stringTest // tested once for each different string
	numbers []func(e *entries, row int) bool
	columns columnSet       // that it needs
	seenAt  map[int64]int64 // of places; nil where not needed
}

// stringTest asks whether any of some columns fulfils any of some patterns.
type stringTest struct {
	columns  []int
	patterns []pattern
	or       func(e *entries, row int) bool // fulfils the term as well; may be nil
	negated  bool
	hits     [][]bool // of each column the strings of the segment at hand; nil for none
}

// add adds a test of strings.
func (s *sieve) add(t stringTest) {
	t.hits = make([][]bool, len(t.columns))
	s.columns |= columnsOf(t.columns...)
	s.strings = append(s.strings, t)
}

// pattern is what one value of a term stands for, folded.
type pattern struct {
	needle []byte   // a string that fulfils the pattern has it, with its NULs; empty: any may
	glob   [][]byte // the parts between *; nil when the needle says it all
}

// anywhere finds a value in any part of a string.
func anywhere(value string) pattern { return pattern{needle: fold(nil, []byte(value))} }

// whole finds a value, in which * stands for anything, as a whole string.
func whole(value string) pattern {
	parts := bytes.Split(fold(nil, []byte(value)), []byte("*"))
	if len(parts) == 1 {
		return pattern{needle: slices.Concat([]byte{0}, parts[0], []byte{0})}
	}
	p := pattern{glob: parts}
	for i, part := range parts {
		switch i {
		case 0:
			part = append([]byte{0}, part...)
		case len(parts) - 1:
			part = append(bytes.Clone(part), 0)
		}
		if len(part) > len(p.needle) {
			p.needle = part
		}
	}
	return p
}

// among finds a value, in which * stands for anything, among words that have a
// space on either side: " value " with more around it.
func among(value string) pattern {
	if !filter.IsGlob(value) {
		return anywhere(" " + value + " ")
	}
	return whole("* " + value + " *")
}

// matches tells whether a folded string fulfils the glob.
func (p *pattern) matches(s []byte) bool {
	last := len(p.glob) - 1
	if !bytes.HasPrefix(s, p.glob[0]) {
		return false
	}
	s = s[len(p.glob[0]):]
	for _, part := range p.glob[1:last] {
		i := bytes.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return bytes.HasSuffix(s, p.glob[last])
}

// search marks the strings of a column that fulfil any of the patterns. The
// result is nil when there are none.
func (t *stringTest) search(in *readStrings, hits []bool) ([]bool, error) {
	if len(in.folded) == 0 {
		in.folded = fold(in.folded, in.text)
	}
	some := false
	for i := range t.patterns {
		p := &t.patterns[i]
		for at, ref := 0, 0; at < len(in.folded); {
			n := bytes.Index(in.folded[at:], p.needle)
			if n < 0 {
				break
			}
			at += n
			first := at // of the string, which a leading NUL is not in
			if len(p.needle) > 0 && p.needle[0] == 0 {
				if first++; first == len(in.folded) { // the end of the last
					break
				}
			}
			if err := in.split(); err != nil {
				return nil, err
			}
			if !some {
				hits, some = append(hits[:0], make([]bool, len(in.starts))...), true
			}
			ref += stringAt(in.starts[ref:], first)
			end := in.end(ref)
			if p.glob == nil || p.matches(in.folded[in.starts[ref]:end]) {
				hits[ref] = true
			}
			at = end // the NUL, which may begin the next
			if len(p.needle) == 0 || p.needle[0] != 0 {
				at++
			}
		}
	}
	if !some {
		return nil, nil
	}
	return hits, nil
}

// stringAt gives the last of ascending starts that is not after at.
func stringAt(starts []int32, at int) int {
	i, found := slices.BinarySearch(starts, int32(at)) //nolint:gosec // within a segment
	if !found {
		i--
	}
	return max(i, 0)
}

// mayPass reports whether a segment with these trigrams may have what passes.
func (s *sieve) mayPass(trigrams []byte) bool {
	for i := range s.strings {
		t := &s.strings[i]
		if t.negated || t.or != nil || t.columns[0] < firstText {
			continue
		}
		if !slices.ContainsFunc(t.patterns, func(p pattern) bool { return mayHold(trigrams, p.needle) }) {
			return false
		}
	}
	return true
}

// search prepares the tests of texts, or of the other strings, for a segment,
// and reports whether anything in it can pass them.
func (s *sieve) search(e *entries, texts bool) (bool, error) {
	for i := range s.strings {
		t := &s.strings[i]
		if columnsOf(t.columns[0]).texts() != texts {
			continue
		}
		some := false
		for j, column := range t.columns {
			var err error
			if t.hits[j], err = t.search(e.string(column), t.hits[j]); err != nil {
				return false, err
			}
			some = some || t.hits[j] != nil
		}
		if !some && !t.negated && t.or == nil {
			return false, nil
		}
	}
	return true, nil
}

func (t *stringTest) passes(e *entries, row int) bool {
	hit := t.or != nil && t.or(e, row)
	for j, column := range t.columns {
		hit = hit || t.hits[j] != nil && t.hits[j][e.string(column).ref(row)]
	}
	return hit != t.negated
}

func (s *sieve) passes(e *entries, row int) bool {
	for _, test := range s.numbers {
		if !test(e, row) {
			return false
		}
	}
	for i := range s.strings {
		if !s.strings[i].passes(e, row) {
			return false
		}
	}
	return true
}

const lastSeenColumns columnSet = 1<<numLastSeen | 1<<numFirstSeen | 1<<numPlace

// lastSeen is the expression of that name.
func (s *sieve) lastSeen(e *entries, row int) int64 {
	if n := e.number(numLastSeen, row); n != 0 {
		return n
	}
	return max(s.seenAt[e.number(numPlace, row)], e.number(numFirstSeen, row))
}

// sieveColumns are the fields that one column of strings answers.
var sieveColumns = map[string]int{
	"tool": textTool, "class": textClass, "service": textService, "owner": textOwner,
	"rule": textRule, "file": textFile, "package": textPackage, "purl": textPURL, "image": textImage, "host": textHost,
	"resource": textResource, "endpoint": textEndpoint, "cause": textCause, "id": textIDs, "cwe": textCWE,
}

// term adds what entries know of one term of a filter, as [view.term] adds what
// rows know.
func (s *sieve) term(v *view, t filter.Term) {
	if column, ok := sieveColumns[t.Field]; ok {
		if t.Op != "==" || !t.Negated { // what differs in case only must not be left out
			test := stringTest{columns: []int{column}, patterns: namePatterns(t), negated: t.Negated}
			if t.Field == "tool" && !t.Negated { // what is part of it may be of that tool
				s.columns |= columnsOf(numLead)
				test.or = func(e *entries, row int) bool { return e.number(numLead, row) == 1 }
			}
			s.add(test)
		}
		return
	}
	switch t.Field {
	case "text":
		test := stringTest{columns: wordFields, negated: t.Negated}
		for _, value := range t.Values {
			test.patterns = append(test.patterns, anywhere(value))
		}
		s.add(test)
	case "severity":
		s.number(t.Negated, numSeverity, ranks(t))
	case "is":
		s.states(t)
	case "first":
		s.columns |= columnsOf(numFirstSeen)
		s.times(v, t, func(e *entries, row int) int64 { return e.number(numFirstSeen, row) })
	case "since":
		s.columns |= columnsOf(numSince)
		s.times(v, t, func(e *entries, row int) int64 { return e.number(numSince, row) })
	case "last":
		s.columns |= lastSeenColumns
		s.times(v, t, s.lastSeen)
	}
}

func namePatterns(t filter.Term) (out []pattern) {
	field, _ := filter.Lookup(t.Field)
	for _, value := range t.Values {
		switch {
		case t.Op == "~":
			out = append(out, anywhere(value))
		case t.Op == "==":
			out = append(out, pattern{needle: slices.Concat([]byte{0}, fold(nil, []byte(value)), []byte{0})})
		case filter.IsNone(field, value):
			out = append(out, whole(""))
		case t.Field == "id":
			out = append(out, among(value))
		case t.Field == "cwe":
			out = append(out, anywhere(" "+value+" "))
		default:
			out = append(out, whole(value))
		}
	}
	return out
}

// number lets through what has one of the values in a column.
func (s *sieve) number(negated bool, column int, values []int) {
	var in [64]bool
	for _, n := range values {
		in[n&63] = true
	}
	s.columns |= columnsOf(column)
	s.numbers = append(s.numbers, func(e *entries, row int) bool { return in[e.number(column, row)&63] != negated })
}

// ids lets through what has one of the ids in a column.
func (s *sieve) ids(negated bool, column int, ids []int64) {
	in := make(map[int64]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	s.columns |= columnsOf(column)
	s.numbers = append(s.numbers, func(e *entries, row int) bool { return in[e.number(column, row)] != negated })
}

func (s *sieve) states(t filter.Term) {
	if slices.Contains(t.Values, filter.IsMerged) || slices.Contains(t.Values, filter.IsDuplicate) {
		return // left to the rows
	}
	list, reopened := t.States()
	if active := slices.DeleteFunc(slices.Clone(sinew.FindingStates), func(s sinew.FindingState) bool { return !s.Active() }); !reopened && slices.Equal(list, active) {
		s.number(t.Negated, numActive, []int{1})
		return
	}
	test := stringTest{columns: []int{textState}, negated: t.Negated}
	for _, state := range list {
		test.patterns = append(test.patterns, whole(string(state)))
	}
	if reopened {
		s.columns |= columnsOf(numReopened)
		test.or = func(e *entries, row int) bool { return e.number(numReopened, row) > 0 }
	}
	s.add(test)
}

func (s *sieve) times(v *view, t filter.Term, of func(e *entries, row int) int64) {
	type span struct{ from, to int64 }
	var spans []span
	for _, i := range t.Times(v.now) {
		to := int64(math.MaxInt64)
		if !i.To.IsZero() {
			to = micros(i.To)
		}
		spans = append(spans, span{micros(i.From), to})
	}
	s.numbers = append(s.numbers, func(e *entries, row int) bool {
		n := of(e, row)
		return slices.ContainsFunc(spans, func(i span) bool { return n >= i.from && n < i.to }) != t.Negated
	})
}

// needsPlaces reports whether a filter or an order asks when places were seen.
func needsPlaces(f *filter.Query, o *order) bool {
	last := func(t filter.Term) bool { return t.Field == "last" }
	return o != nil && o.joined || f != nil && slices.ContainsFunc(f.Terms, last)
}

// compareKeys orders keys of findings as the SQL of o does.
func (o *order) compareKeys(a, b *findingKey) int {
	for i, n := range a.numbers {
		if n != b.numbers[i] {
			return sign(n < b.numbers[i], o.desc != (i < o.flip))
		}
	}
	if a.text != b.text {
		return sign(a.text < b.text, o.desc)
	}
	if a.id != b.id {
		return sign(a.id < b.id, o.desc)
	}
	return 0
}

func sign(less, desc bool) int {
	if less != desc {
		return -1
	}
	return 1
}
