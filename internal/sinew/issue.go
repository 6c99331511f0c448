package sinew

import (
	"net/url"
	"slices"
	"time"
)

// IssueKind says what kind of change mends a root cause.
type IssueKind string

// The kinds of issues.
const (
	IssueBaseImage     IssueKind = "base_image"    // another base image for a container image
	IssueUpgrade       IssueKind = "upgrade"       // another version of a package
	IssueSecret        IssueKind = "secret"        // a credential is replaced
	IssueModule        IssueKind = "module"        // a module, chart or role of infrastructure as code
	IssueTemplate      IssueKind = "template"      // a file of infrastructure as code
	IssueConfiguration IssueKind = "configuration" // a setting of cloud or cluster resources
	IssueCode          IssueKind = "code"          // a pattern in the code of an application
	IssueEndpoint      IssueKind = "endpoint"      // a web server or service
	IssueHost          IssueKind = "host"          // something that machines have in common
	IssueOther         IssueKind = "other"
)

// IssueKinds lists every kind.
var IssueKinds = []IssueKind{
	IssueBaseImage, IssueUpgrade, IssueSecret, IssueModule, IssueTemplate, IssueConfiguration, IssueCode, IssueEndpoint, IssueHost, IssueOther,
}

// IssueState is how far an issue is. People say open and in progress; the rest is
// evidence.
type IssueState string

// The states of issues.
const (
	IssueOpen       IssueState = "open"
	IssueInProgress IssueState = "in_progress" // somebody works on it
	IssueDone       IssueState = "done"        // evidence: none of its findings is active any more
	IssueAccepted   IssueState = "accepted"    // none is active, as the risk of what is left was accepted
	IssueGone       IssueState = "gone"        // it has no findings any more: they belong elsewhere now
)

// IssueStates lists every state.
var IssueStates = []IssueState{IssueOpen, IssueInProgress, IssueDone, IssueAccepted, IssueGone}

// Ticket is where an issue is dealt with outside.
type Ticket struct {
	Key string `json:"key"`
	URL string `json:"url,omitempty"`
}

// Issue is a unit of work: findings of one application with one root cause.
type Issue struct {
	ID          string     `json:"id"`
	Kind        IssueKind  `json:"kind"`
	Cause       string     `json:"cause"`           // names the root cause, for people and for filters
	Title       string     `json:"title,omitempty"` // of one of its findings, where the cause names no more than a rule
	Application string     `json:"application,omitempty"`
	State       IssueState `json:"state"`
	Since       time.Time  `json:"state_since"`
	Reopened    int        `json:"reopened,omitempty"` // how often findings came back after it was done
	Owner       string     `json:"owner,omitempty"`
	Ticket      *Ticket    `json:"ticket,omitempty"`

	Findings   int64              `json:"findings"` // whatever their state
	Active     int64              `json:"active"`   // that still have to be dealt with
	Accepted   int64              `json:"accepted"` // risks that were accepted
	Presences  int64              `json:"presences"`
	Severities map[Severity]int64 `json:"severities"`      // of the active ones
	Worst      Severity           `json:"worst,omitempty"` // of the active ones
	Filter     string             `json:"filter"`          // finds exactly its findings

	Upgrade   *Upgrade   `json:"upgrade,omitempty"`    // of kind upgrade, unless it has too many findings for a list
	BaseImage *BaseImage `json:"base_image,omitempty"` // of kind base_image, likewise
}

// Upgrade says which version of a package mends most of an issue.
type Upgrade struct {
	Package   string             `json:"package"`
	Ecosystem string             `json:"ecosystem,omitempty"` // type of its package URL
	To        string             `json:"to,omitempty"`        // the least version that closes as many as any; empty if none closes any
	Closes    int64              `json:"closes"`              // active findings that it closes
	Of        int64              `json:"of"`                  // active findings
	Unfixed   int64              `json:"unfixed,omitempty"`   // of these, how many no version repairs yet
	Installed []InstalledVersion `json:"installed,omitempty"` // each version that is in use, when there are several
}

// InstalledVersion says the same of the findings of one version.
type InstalledVersion struct {
	Version string `json:"version"`
	To      string `json:"to,omitempty"`
	Closes  int64  `json:"closes"`
	Of      int64  `json:"of"`
}

// BaseImage says what is known of the base of an image.
type BaseImage struct {
	Image   string   `json:"image"`          // the image that is built on it
	Names   []string `json:"names"`          // of the base, as reports tell it: an image, or the distribution and its version
	Fixable int64    `json:"fixable"`        // active findings for which the distribution has a repaired package
	Of      int64    `json:"of"`             // active findings
	More    bool     `json:"more,omitempty"` // reports tell more names than these
}

// IssueEvent is a step in an issue's history.
type IssueEvent struct {
	At        time.Time `json:"at"`
	Seq       int64     `json:"seq"`  // log entry that caused it
	Kind      string    `json:"kind"` // opened, state, owner, ticket or note
	From      string    `json:"from,omitempty"`
	To        string    `json:"to,omitempty"`
	Note      string    `json:"note,omitempty"`
	Actor     string    `json:"actor"` // pseudonym, or "system" for evidence
	ActorName string    `json:"actor_name,omitempty"`
}

// IssueChange is what a person changes of an issue; nil leaves a thing as it is.
type IssueChange struct {
	Issue  string      `json:"issue"` // public id
	Owner  *string     `json:"owner,omitempty"`
	State  *IssueState `json:"state,omitempty"` // open or in progress
	Ticket *Ticket     `json:"ticket,omitempty"`
	Note   string      `json:"note,omitempty"`
}

// The most that the words of a change may have, in bytes.
const (
	maxOwner     = 200
	maxTicketKey = 100
	maxTicketURL = 2000
	maxNote      = 10_000
)

// Validate reports what keeps c from being recorded.
func (c *IssueChange) Validate() error {
	if c.Owner == nil && c.State == nil && c.Ticket == nil && c.Note == "" {
		return Errorf(CodeInvalid, "nothing is to be changed").Hint("give an owner, a state, a ticket or a note")
	}
	if c.State != nil && !slices.Contains([]IssueState{IssueOpen, IssueInProgress}, *c.State) {
		return Errorf(CodeInvalid, "an issue cannot be set to %.40q", *c.State).
			Hint("use open or in_progress; it is done when none of its findings is active any more")
	}
	if c.Owner != nil && len(*c.Owner) > maxOwner || len(c.Note) > maxNote {
		return Errorf(CodeTooLarge, "an owner has at most %d bytes, a note %d", maxOwner, maxNote)
	}
	if c.Ticket == nil {
		return nil
	}
	if len(c.Ticket.Key) > maxTicketKey || len(c.Ticket.URL) > maxTicketURL {
		return Errorf(CodeTooLarge, "the key of a ticket has at most %d bytes, its URL %d", maxTicketKey, maxTicketURL)
	}
	if c.Ticket.URL == "" {
		return nil
	}
	if c.Ticket.Key == "" {
		return Errorf(CodeInvalid, "a ticket with a URL needs a key").Hint("give the name by which people know it, as SHOP-12")
	}
	u, err := url.Parse(c.Ticket.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Errorf(CodeInvalid, "%.100q is no address of a ticket", c.Ticket.URL).Hint("use one that begins with https://")
	}
	return nil
}
