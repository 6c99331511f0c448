package sinew

// Severity is how bad a finding is on the one scale that every tool's own
// words are mapped to.
type Severity string

// The severities.
const (
	SeverityCritical Severity = "critical"
	SeverityHigh     Severity = "high"
	SeverityMedium   Severity = "medium"
	SeverityLow      Severity = "low"
	SeverityInfo     Severity = "info"
)

// Severities lists every severity, worst first.
var Severities = []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow, SeverityInfo}

// Rank orders severities: 4 for critical down to 0 for info, -1 for a word that
// is no severity.
func (s Severity) Rank() int {
	for i, v := range Severities {
		if s == v {
			return len(Severities) - 1 - i
		}
	}
	return -1
}

// SeverityOfRank is the inverse of [Severity.Rank]; ranks out of range give
// [SeverityInfo].
func SeverityOfRank(rank int) Severity {
	if rank < 0 || rank >= len(Severities) {
		return SeverityInfo
	}
	return Severities[len(Severities)-1-rank]
}
