package store

import (
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The rows of the projections as the pipeline reads and writes them. Times are
// integer microseconds, ids are local (docs/decisions/005).

// FamilyRow is a stream without its ref.
type FamilyRow struct {
	ID                          int64
	Source, Tool, Target, Label string
	Unit                        int64
	Folds                       int64 // how often it was folded again
	UndoFrom                    int64 // the first of its steps that can be taken back
	Assigned                    int64 // newest entry by which its findings were assigned to units anew
}

// Stream is the family as the vocabulary knows it.
func (f *FamilyRow) Stream() sinew.Stream {
	return sinew.Stream{Source: f.Source, Tool: f.Tool, Target: f.Target, Label: f.Label}
}

// PlaceRow is a ref of a family, or what is deployed of it in an environment.
type PlaceRow struct {
	ID          int64
	Family      int64
	Kind        sinew.PlaceKind
	Ref         string
	Environment string
	Service     string // of a deployed place: application/service of the deployment
	Version     string
	Head        int64 // seq of the newest snapshot folded in
	SeenAt      int64 // when everything observed here was last seen
	Ended       string
}

// SnapshotRow is a projected snapshot.
type SnapshotRow struct {
	Seq        int64
	Family     int64
	Place      int64
	Unit       int64
	At         int64
	Received   int64
	Version    string // digest, else commit
	Commit     string
	RawMAC     string // keyed digest of the upload
	Body       []byte
	Assignment []byte
	Coverage   sinew.CoverageStatus
	Basis      sinew.Basis
	Artifact   bool // of a built artifact, named by digest
	Observed   int64
	Result     string // JSON
}

// FindingRow is one version of a finding's row.
type FindingRow struct {
	ID         int64
	GenFrom    int64
	Family     int64
	Unit       int64
	Place      int64
	Service    string
	Class      sinew.Class
	State      sinew.FindingState
	Severity   int
	Tool       string
	Rule       string
	Title      string
	CWE        string
	IDs        string
	File       string
	Line       int64
	Package    string
	Version    string
	PURL       string
	Image      string
	Host       string
	Resource   string
	Endpoint   string
	Cause      string
	Owner      string
	Verdict    sinew.Verdict
	VerdictBy  string
	VerdictSeq int64
	Until      int64
	FirstSeen  int64
	LastSeen   int64 // 0: as the place that makes the headline was last seen
	Since      int64
	Reopened   int64
	ObsSeq     int64
	ObsN       int64
	Origin     int64 // the first observation in fold order

	// What correlation compares and says (docs/decisions/016).
	Spot  string
	Block int64
	Lead  int64  // finding that it is part of; 0: it stands alone; -1: others are part of it
	Tools string // of what is part of it and its own, each with a line feed on either side; "" where it stands alone
	Also  string // ids of what is part of it that are not its own
}

// LeadsOthers is the lead of a finding that others are part of.
const LeadsOthers = -1

// PresenceRow is one version of a finding's row in a place.
type PresenceRow struct {
	Finding    int64
	Place      int64
	GenFrom    int64
	State      sinew.PresenceState
	Basis      sinew.Basis
	FirstSeen  int64
	LastSeen   int64 // of an observed one the newer of this and its place's SeenAt
	Since      int64
	SinceSeq   int64
	ObsSeq     int64
	ObsN       int64
	ObsHash    int64
	Pass       int64
	ToolStatus sinew.ToolStatus
	Line       int64
	Tool       int64 // matching keys
	Content    int64
	PlaceKey   int64
	Moved      int64
	Near       int64
}

// EventRow is a step in a finding's history.
type EventRow struct {
	Finding int64
	Seq     int64
	N       int64
	At      int64
	KnownAt int64
	Kind    string
	Place   int64 // 0 for the headline
	Was     string
	Became  string
	Cause   string
	Actor   string
}

// RedirectRow says that the birth Old is now part of finding New.
type RedirectRow struct{ Old, New int64 }

// VerdictRow is a decision, on the birth it was made on.
type VerdictRow struct {
	Birth   int64
	Seq     int64
	Verdict sinew.Verdict
	Actor   string
	Until   int64
	Owner   string
	At      int64

	Undoes  int64  // seq of the decision that it takes back; 0 for none
	Words   int64  // seq of the decision whose verdict and reason hold: its own, or the restored one's
	WordsBy string // who made that
	Was     Stood  // before, so that it can be taken back
}

// Stood is what stood on a finding: the zero Stood is nothing.
type Stood struct {
	Verdict sinew.Verdict
	By      string
	Words   int64 // seq of the decision
	Until   int64
	Owner   string
}

// DecisionRow is a decision as a whole.
type DecisionRow struct {
	Seq      int64
	At       int64
	Actor    string
	Verdict  sinew.Verdict // empty for one that only takes back
	Until    int64
	Owner    string
	Findings int64
	Undoes   int64
}

// table names what a bulk insert fills; the values come in the order of cols.
type table struct {
	name string
	cols []string
}

var (
	findingTable = table{"finding", strings.Fields(`space id gen_from family_id unit_id place_id service class state
		active severity tool rule title cwe ids file line package version purl image host resource endpoint cause issue
		owner verdict verdict_by verdict_seq until first_seen last_seen since reopened obs_seq obs_n origin
		spot block lead tools also`)}
	presenceTable = table{"presence", strings.Fields(`space finding_id place_id gen_from state basis
		first_seen last_seen since since_seq obs_seq obs_n obs_hash pass tool_status
		line k_tool k_content k_place k_moved k_near`)}
	eventTable = table{"event", strings.Fields(`space finding_id seq n gen_from at known_at kind place_id
		was became cause actor`)}
	verdictTable = table{"verdict", strings.Fields(`space birth_id seq verdict actor until owner at gen_from
		undoes words words_by was was_by was_words was_until was_owner`)}
)

func (r *FindingRow) values(dst []any, space, gen int64) []any {
	return append(dst, space, r.ID, gen, r.Family, r.Unit, r.Place,
		r.Service, string(r.Class), string(r.State),
		boolInt(r.State.Active()), int64(r.Severity),
		r.Tool, r.Rule, r.Title, r.CWE, r.IDs, r.File, r.Line,
		r.Package, r.Version, r.PURL, r.Image, r.Host, r.Resource, r.Endpoint, r.Cause, r.issue(), r.Owner, string(r.Verdict), r.VerdictBy,
		r.VerdictSeq, r.Until, r.FirstSeen, r.LastSeen, r.Since, r.Reopened, r.ObsSeq, r.ObsN, r.Origin,
		r.Spot, r.Block, r.Lead, r.Tools, r.Also)
}

const findingSelect = `id, gen_from, family_id, unit_id, place_id, service, class, state, severity,
	tool, rule, title, cwe, ids, file, line, package, version, purl, image, host, resource, endpoint, cause,
	owner, verdict, verdict_by, verdict_seq, until, first_seen, last_seen, since, reopened, obs_seq, obs_n, origin,
	spot, block, lead, tools, also`

func (r *FindingRow) targets() []any {
	return []any{
		&r.ID, &r.GenFrom, &r.Family, &r.Unit, &r.Place, &r.Service, &r.Class, &r.State, &r.Severity,
		&r.Tool, &r.Rule, &r.Title, &r.CWE, &r.IDs, &r.File, &r.Line, &r.Package, &r.Version, &r.PURL,
		&r.Image, &r.Host, &r.Resource, &r.Endpoint, &r.Cause, &r.Owner, &r.Verdict, &r.VerdictBy, &r.VerdictSeq, &r.Until,
		&r.FirstSeen, &r.LastSeen, &r.Since, &r.Reopened, &r.ObsSeq, &r.ObsN, &r.Origin,
		&r.Spot, &r.Block, &r.Lead, &r.Tools, &r.Also,
	}
}

func (r *PresenceRow) values(dst []any, space, gen int64) []any {
	return append(dst, space, r.Finding, r.Place, gen, string(r.State), string(r.Basis),
		r.FirstSeen, r.LastSeen, r.Since, r.SinceSeq, r.ObsSeq, r.ObsN, r.ObsHash, r.Pass,
		string(r.ToolStatus), r.Line, r.Tool, r.Content, r.PlaceKey, r.Moved, r.Near)
}

const presenceSelect = `finding_id, place_id, gen_from, state, basis, first_seen, last_seen, since, since_seq,
	obs_seq, obs_n, obs_hash, pass, tool_status, line, k_tool, k_content, k_place, k_moved, k_near`

func (r *PresenceRow) targets() []any {
	return []any{
		&r.Finding, &r.Place, &r.GenFrom, &r.State, &r.Basis, &r.FirstSeen, &r.LastSeen, &r.Since, &r.SinceSeq,
		&r.ObsSeq, &r.ObsN, &r.ObsHash, &r.Pass, &r.ToolStatus, &r.Line, &r.Tool, &r.Content, &r.PlaceKey, &r.Moved, &r.Near,
	}
}

func (r *EventRow) values(dst []any, space, gen int64) []any {
	return append(dst, space, r.Finding, r.Seq, r.N, gen, r.At, r.KnownAt, r.Kind, r.Place, r.Was, r.Became, r.Cause, r.Actor)
}

func (r *VerdictRow) values(dst []any, space, gen int64) []any {
	return append(dst, space, r.Birth, r.Seq, string(r.Verdict), r.Actor, r.Until, r.Owner, r.At, gen,
		r.Undoes, r.Words, r.WordsBy, string(r.Was.Verdict), r.Was.By, r.Was.Words, r.Was.Until, r.Was.Owner)
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// counterKey names a maintained counter.
type counterKey struct {
	unit       int64
	dim, value string
}

// count adds n to every counter that f is counted in. All dimensions but the
// state count active findings only.
func (r *FindingRow) count(counts map[counterKey]int64, target string, n int64) {
	if r.Lead > 0 {
		return // it is counted in what it is part of
	}
	counts[counterKey{r.Unit, "state", string(r.State)}] += n
	if !r.State.Active() {
		return
	}
	counts[counterKey{r.Unit, "severity", severityText(r.Severity)}] += n
	for _, tool := range r.tools() {
		counts[counterKey{r.Unit, "tool", tool}] += n
	}
	counts[counterKey{r.Unit, "class", string(r.Class)}] += n
	counts[counterKey{r.Unit, "target", target}] += n
}

// tools are the finding's own tool and those of what is part of it.
func (r *FindingRow) tools() []string { return toolsOf(r.Tool, r.Tools) }

func toolsOf(own, all string) []string {
	if all == "" {
		return []string{own}
	}
	return strings.Split(strings.Trim(all, toolSeparator), toolSeparator)
}

// toolSeparator is between the tools of a finding: names may have spaces.
const toolSeparator = "\n"

func severityText(rank int) string { return strconv.Itoa(rank) }
