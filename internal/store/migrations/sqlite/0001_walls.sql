-- Times are integer microseconds since 1970 UTC. Local keys are birth
-- coordinates (docs/decisions/005). Everything below "projections" can be built
-- again from what is above.

CREATE TABLE workspace (
    id          INTEGER PRIMARY KEY,
    uuid        TEXT   NOT NULL UNIQUE,
    name        TEXT   NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL,
    space       BIGINT NOT NULL               -- the live projection
);

CREATE TABLE log (
    workspace_id BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    actor        TEXT   NOT NULL,
    digest       BLOB  NOT NULL,
    prev         BLOB  NOT NULL,
    hash         BLOB  NOT NULL,
    PRIMARY KEY (workspace_id, seq)
);
CREATE INDEX log_kind ON log (workspace_id, kind, seq);

CREATE TABLE log_payload (                    -- deletable; the chain stays valid
    workspace_id BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    payload      BLOB  NOT NULL,
    PRIMARY KEY (workspace_id, seq)
);

CREATE TABLE blob (
    id           INTEGER PRIMARY KEY,
    workspace_id BIGINT NOT NULL,
    kind         TEXT   NOT NULL,             -- body, evidence, assignment, dump, attachment
    digest       BLOB  NOT NULL,             -- sha256 of the uncompressed bytes
    size         BIGINT NOT NULL,
    lines        BIGINT NOT NULL,             -- newline-terminated lines, for look-up by ordinal
    created_at   BIGINT NOT NULL,
    complete     INTEGER NOT NULL,            -- 0 while being written; swept when it stays so
    named_at     BIGINT NOT NULL,             -- time of the newest entry that names it; 0 while none does: swept after a day
    deleted_seq  BIGINT                       -- tombstone; its frames are gone
);
CREATE UNIQUE INDEX blob_digest ON blob (workspace_id, digest, kind) WHERE complete = 1 AND deleted_seq IS NULL;
CREATE INDEX blob_age ON blob (workspace_id, kind, named_at);
CREATE INDEX blob_name ON blob (workspace_id, digest, kind);  -- also those that were deleted

CREATE TABLE blob_frame (
    blob_id    BIGINT  NOT NULL,
    n          BIGINT  NOT NULL,
    first_line BIGINT  NOT NULL,             -- line ends in the frames before
    data       BLOB   NOT NULL,              -- zstd, at most 1 MiB uncompressed
    PRIMARY KEY (blob_id, n)
);
CREATE INDEX blob_frame_line ON blob_frame (blob_id, first_line);

CREATE TABLE lease (
    workspace_id BIGINT PRIMARY KEY,
    holder       TEXT   NOT NULL,             -- host, process and purpose, for people
    host         TEXT   NOT NULL,
    pid          BIGINT NOT NULL,
    started      TEXT   NOT NULL,             -- start time of that process, so that a reused pid is told apart
    fence        BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

CREATE TABLE principal (                      -- personal attributes, beside the log
    workspace_id  BIGINT NOT NULL,
    pseudonym     TEXT   NOT NULL,
    login         TEXT,
    name          TEXT,
    email         TEXT,
    password_hash TEXT,
    role_all      TEXT   NOT NULL,            -- role on every unit, or ''
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, pseudonym)
);
CREATE UNIQUE INDEX principal_login ON principal (workspace_id, login);

CREATE TABLE access_grant (
    workspace_id BIGINT NOT NULL,
    pseudonym    TEXT   NOT NULL,
    unit_id      BIGINT NOT NULL,
    role         TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, pseudonym, unit_id)
);

CREATE TABLE token (
    workspace_id BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    pseudonym    TEXT   NOT NULL,             -- acts as
    name         TEXT   NOT NULL,
    hash         BLOB  NOT NULL,             -- sha256 of the secret
    role         TEXT   NOT NULL,             -- the most it may do
    units        TEXT   NOT NULL,             -- JSON array of unit ids, or '' for all of its principal's
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    revoked_at   BIGINT,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX token_hash ON token (hash);

CREATE TABLE provider (                       -- of sign-in by OpenID Connect
    workspace_id BIGINT NOT NULL,
    id           TEXT   NOT NULL,             -- in addresses
    name         TEXT   NOT NULL,
    issuer       TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    secret       BLOB  NOT NULL,             -- sealed with a key derived from the master key; empty for none
    scopes       TEXT   NOT NULL,             -- JSON array
    groups_claim TEXT   NOT NULL,
    login_claim  TEXT   NOT NULL,
    mappings     TEXT   NOT NULL,             -- JSON array: which group has which role where
    default_role TEXT   NOT NULL,             -- of whoever signs in, on every unit, or ''
    enabled      INTEGER NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX provider_issuer ON provider (workspace_id, issuer);

CREATE TABLE identity (                       -- who a principal is to a provider: personal attributes too
    workspace_id BIGINT NOT NULL,
    issuer       TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    pseudonym    TEXT   NOT NULL,
    login        TEXT   NOT NULL,             -- to show; nobody signs in by it
    member_of    TEXT   NOT NULL,             -- groups, a JSON array, as the last sign-in said
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, issuer, subject)
);
CREATE UNIQUE INDEX identity_principal ON identity (workspace_id, pseudonym);

CREATE TABLE group_grant (                    -- roles by groups; those by hand are in access_grant and principal
    workspace_id BIGINT NOT NULL,
    pseudonym    TEXT   NOT NULL,
    unit_id      BIGINT NOT NULL,             -- -1 for every unit
    role         TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, pseudonym, unit_id)
);

CREATE TABLE session (                        -- of browsers; not in backups: a restore signs everybody out
    workspace_id BIGINT NOT NULL,
    id           TEXT   NOT NULL,
    pseudonym    TEXT   NOT NULL,
    provider     TEXT   NOT NULL,             -- '' for a password
    hash         BLOB  NOT NULL,             -- sha256 of the secret
    old_hash     BLOB,                       -- of the one before it
    rotated_at   BIGINT NOT NULL,             -- when hash was made
    confirmed_at BIGINT NOT NULL,             -- when it was first shown to us; 0 until then, while the old one lives
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    address      TEXT   NOT NULL,
    agent        TEXT   NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX session_hash ON session (hash);
CREATE INDEX session_old_hash ON session (old_hash) WHERE old_hash IS NOT NULL;
CREATE INDEX session_principal ON session (workspace_id, pseudonym);

CREATE TABLE invite (                         -- one-time links
    hash         BLOB  PRIMARY KEY,
    workspace_id BIGINT NOT NULL,
    role         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT
);

CREATE TABLE idempotency (
    workspace_id BIGINT NOT NULL,
    principal    TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    request      BLOB  NOT NULL,             -- digest of the request
    seq          BIGINT NOT NULL,             -- entry that it became
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, principal, key)
);

CREATE TABLE retention (
    workspace_id BIGINT  NOT NULL,
    kind         TEXT    NOT NULL,
    days         BIGINT  NOT NULL,            -- 0 keeps for ever
    PRIMARY KEY (workspace_id, kind)
);

CREATE TABLE saved_view (                     -- a list of findings that somebody gave a name
    workspace_id BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    owner        TEXT   NOT NULL,             -- pseudonym
    scope        TEXT   NOT NULL,             -- private, unit, everyone
    unit_id      BIGINT NOT NULL,             -- of scope unit
    name         TEXT   NOT NULL,
    filter       TEXT   NOT NULL,
    tab          TEXT   NOT NULL,
    sort         TEXT   NOT NULL,
    columns      TEXT   NOT NULL,             -- JSON array of names
    grouping     TEXT   NOT NULL,             -- what the rows are grouped by, or ''
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX saved_view_owner ON saved_view (workspace_id, owner);

-- projections ---------------------------------------------------------------

CREATE TABLE space (
    id            INTEGER PRIMARY KEY,
    workspace_id  BIGINT NOT NULL,
    version       TEXT   NOT NULL,            -- of the projection code
    state         TEXT   NOT NULL,            -- live, building, dead
    live_gen      BIGINT NOT NULL,
    projected_seq BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE ruleset (                        -- the newest rules entry
    space    BIGINT PRIMARY KEY,
    seq      BIGINT NOT NULL,
    document TEXT   NOT NULL
);

CREATE TABLE unit (                           -- access unit = application
    space        BIGINT NOT NULL,
    id           BIGINT NOT NULL,
    name         TEXT   NOT NULL,
    organisation TEXT   NOT NULL,
    businessunit TEXT   NOT NULL,
    services     TEXT   NOT NULL,             -- JSON
    gone         INTEGER NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE UNIQUE INDEX unit_name ON unit (space, name);

CREATE TABLE family (
    space   BIGINT NOT NULL,
    id      BIGINT NOT NULL,
    source  TEXT   NOT NULL,
    tool    TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    label   TEXT   NOT NULL,
    unit_id BIGINT NOT NULL,                  -- of the target as a whole
    folds   BIGINT NOT NULL DEFAULT 0,        -- how often it was folded again: 0 while births are in fold order
    undo_from   BIGINT NOT NULL DEFAULT 0,    -- the first of its steps that can be taken back
    assigned_seq BIGINT NOT NULL DEFAULT 0,   -- newest entry by which its findings were assigned to units anew
    PRIMARY KEY (space, id)
);
CREATE UNIQUE INDEX family_key ON family (space, target, tool, source, label);

CREATE TABLE place (
    space       BIGINT NOT NULL,
    id          BIGINT NOT NULL,
    family_id   BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    ref         TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    service     TEXT   NOT NULL,              -- of a deployed place
    version     TEXT   NOT NULL,              -- commit or digest of the head
    head_seq    BIGINT NOT NULL,              -- newest snapshot folded in, 0 for none
    seen_at     BIGINT NOT NULL,              -- effective time of the head: last seen of everything observed here
    ended       TEXT   NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE UNIQUE INDEX place_key ON place (space, family_id, kind, ref, environment, service);

CREATE TABLE snapshot (
    space       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    family_id   BIGINT NOT NULL,
    place_id    BIGINT NOT NULL,
    unit_id     BIGINT NOT NULL,
    at          BIGINT NOT NULL,              -- effective time
    received_at BIGINT NOT NULL,
    version     TEXT   NOT NULL,              -- commit or digest
    commit_id   TEXT   NOT NULL,              -- the commit alone
    raw_mac     TEXT   NOT NULL,              -- keyed digest of the upload
    body        BLOB  NOT NULL,
    assignment  BLOB  NOT NULL,
    coverage    TEXT   NOT NULL,              -- status: complete, partial, failed, or '' for not told
    basis       TEXT   NOT NULL,              -- proven, declared
    artifact    INTEGER NOT NULL,             -- 1 when it is of a built artifact, named by digest
    observations BIGINT NOT NULL,
    result      TEXT   NOT NULL,              -- JSON: new, unchanged, changed, reopened, fixed, not observed, and why
    PRIMARY KEY (space, seq)
);
CREATE INDEX snapshot_family ON snapshot (space, family_id, seq);
CREATE INDEX snapshot_version ON snapshot (space, version);
CREATE INDEX snapshot_commit ON snapshot (space, commit_id);
CREATE INDEX snapshot_raw ON snapshot (space, raw_mac);

CREATE TABLE finding (
    space       BIGINT   NOT NULL,
    id          BIGINT   NOT NULL,
    gen_from    BIGINT   NOT NULL,
    gen_to      BIGINT,
    family_id   BIGINT   NOT NULL,
    unit_id     BIGINT   NOT NULL,
    place_id    BIGINT   NOT NULL,            -- the presence that makes the headline
    service     TEXT     NOT NULL,
    class       TEXT     NOT NULL,
    state       TEXT     NOT NULL,
    active      INTEGER  NOT NULL,            -- 1 when the state counts as active
    severity    INTEGER  NOT NULL,            -- rank
    tool        TEXT     NOT NULL,
    rule        TEXT     NOT NULL,
    title       TEXT     NOT NULL,
    cwe         TEXT     NOT NULL,            -- ' 79 89 '
    ids         TEXT     NOT NULL,            -- ' CVE-2024-1 GHSA-.. '
    file        TEXT     NOT NULL,
    line        BIGINT   NOT NULL,
    package     TEXT     NOT NULL,
    version     TEXT     NOT NULL,
    purl        TEXT     NOT NULL,
    image       TEXT     NOT NULL,
    host        TEXT     NOT NULL,
    resource    TEXT     NOT NULL,            -- id, else name, else type
    endpoint    TEXT     NOT NULL,            -- 'GET https://...', or the URL alone
    cause       TEXT     NOT NULL,            -- root cause: what mends it and others together
    issue       BIGINT   NOT NULL,            -- of that cause and unit (identity.IssueKey); 0 for none
    owner       TEXT     NOT NULL,
    verdict     TEXT     NOT NULL,            -- standing decision
    verdict_by  TEXT     NOT NULL,            -- pseudonym, or 'tool'
    verdict_seq BIGINT   NOT NULL,
    until       BIGINT   NOT NULL,            -- of the decision; 0 for none
    first_seen  BIGINT   NOT NULL,
    last_seen   BIGINT   NOT NULL,            -- 0: the place's seen_at, for as long as it is observed there
    since       BIGINT   NOT NULL,
    reopened    INTEGER  NOT NULL,
    obs_seq     BIGINT   NOT NULL,            -- snapshot and ordinal of the observation shown
    obs_n       BIGINT   NOT NULL,
    origin      BIGINT   NOT NULL,            -- its first observation in fold order; decides between twins
    spot        TEXT     NOT NULL,            -- what else correlation compares (identity.Spot)
    block       BIGINT   NOT NULL,            -- of what may be the same problem
    lead        BIGINT   NOT NULL,            -- finding that it is shown as part of; 0: it stands alone; -1: others are part of it
    tools       TEXT     NOT NULL,            -- its own and of those that are part of it, a line feed around each; '' when alone
    also        TEXT     NOT NULL,            -- ' GHSA-.. ' ids of those that are part of it and not its own
    PRIMARY KEY (space, id, gen_from)
);
CREATE INDEX finding_list ON finding (space, active, severity, id) WHERE lead <= 0;
CREATE INDEX finding_block ON finding (space, unit_id, block, family_id, lead) WHERE gen_to IS NULL;
CREATE INDEX finding_lead ON finding (space, lead) WHERE lead > 0;
CREATE INDEX finding_issue ON finding (space, issue) WHERE lead <= 0;
CREATE INDEX finding_gen ON finding (space, gen_from);
CREATE INDEX finding_ended ON finding (space, gen_to) WHERE gen_to IS NOT NULL;
CREATE INDEX finding_family ON finding (space, family_id, id);
CREATE INDEX finding_unit ON finding (space, unit_id);
CREATE INDEX finding_host ON finding (space, host) WHERE host <> '';
CREATE INDEX finding_until ON finding (space, until) WHERE until > 0;

CREATE TABLE finding_segment (                -- packed columns of versions of finding (docs/decisions/011)
    space    BIGINT  NOT NULL,
    id       BIGINT  NOT NULL,
    gen_from BIGINT  NOT NULL,                -- the newest in it
    entries  INTEGER NOT NULL,
    trigrams BLOB    NOT NULL,                -- filter over those of its texts
    numbers  BLOB    NOT NULL,
    texts    BLOB    NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE INDEX finding_segment_gen ON finding_segment (space, gen_from);

CREATE TABLE presence (
    space      BIGINT   NOT NULL,
    finding_id BIGINT   NOT NULL,
    place_id   BIGINT   NOT NULL,
    gen_from   BIGINT   NOT NULL,
    gen_to     BIGINT,
    state      TEXT     NOT NULL,
    basis      TEXT     NOT NULL,
    first_seen BIGINT   NOT NULL,
    last_seen  BIGINT   NOT NULL,             -- 0: the place's seen_at, for as long as it is observed
    since      BIGINT   NOT NULL,
    since_seq  BIGINT   NOT NULL,             -- entry that caused the state
    obs_seq    BIGINT   NOT NULL,             -- newest observation that differed
    obs_n      BIGINT   NOT NULL,
    obs_hash   BIGINT   NOT NULL,             -- of its content
    pass       INTEGER  NOT NULL,             -- matcher pass that joined it
    tool_status TEXT    NOT NULL,
    line       BIGINT   NOT NULL,
    k_tool     BIGINT   NOT NULL,             -- matching keys, 0 where a pass does not apply
    k_content  BIGINT   NOT NULL,
    k_place    BIGINT   NOT NULL,
    k_moved    BIGINT   NOT NULL,
    k_near     BIGINT   NOT NULL,
    PRIMARY KEY (space, finding_id, place_id, gen_from)
);
CREATE INDEX presence_place ON presence (space, place_id, finding_id);
CREATE INDEX presence_gen ON presence (space, gen_from);
CREATE INDEX presence_ended ON presence (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE step (                           -- what a family was folded from, in fold order (docs/decisions/012)
    space     BIGINT NOT NULL,
    family_id BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    item      BIGINT NOT NULL,                -- entry that is folded: snapshot, ref, deployment, end, decision
    entry     BIGINT NOT NULL,                -- entry in whose projection it was: a later one, if it was folded again
    size      BIGINT NOT NULL,                -- bytes of its parts
    gen_from  BIGINT NOT NULL,
    gen_to    BIGINT,
    PRIMARY KEY (space, family_id, n, gen_from)
);
CREATE INDEX step_gen ON step (space, gen_from);
CREATE INDEX step_ended ON step (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE step_part (                      -- how a step is taken back
    space     BIGINT NOT NULL,
    family_id BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    part      BIGINT NOT NULL,
    data      BLOB  NOT NULL,
    gen_from  BIGINT NOT NULL,
    gen_to    BIGINT,
    PRIMARY KEY (space, family_id, n, part, gen_from)
);
CREATE INDEX step_part_gen ON step_part (space, gen_from);
CREATE INDEX step_part_ended ON step_part (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE finding_join (                   -- why findings are one problem (docs/decisions/016)
    space    BIGINT NOT NULL,
    a_id     BIGINT NOT NULL,
    b_id     BIGINT NOT NULL,
    rule     BIGINT NOT NULL,                 -- identity.JoinRule
    fields   TEXT   NOT NULL,                 -- JSON: what it compared
    seq      BIGINT NOT NULL,                 -- entry whose projection joined them
    gen_from BIGINT NOT NULL,
    gen_to   BIGINT,
    PRIMARY KEY (space, a_id, b_id, gen_from)
);
CREATE INDEX finding_join_b ON finding_join (space, b_id);
CREATE INDEX finding_join_gen ON finding_join (space, gen_from);
CREATE INDEX finding_join_ended ON finding_join (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE link (                           -- what people said of findings being the same
    space   BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    kind    TEXT   NOT NULL,                  -- same, different, never
    a_id    BIGINT NOT NULL,                  -- births; 0 for rules
    b_id    BIGINT NOT NULL,
    a_rule  TEXT   NOT NULL,                  -- of never: tool, NUL as a line feed, rule
    b_rule  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    undone  BIGINT NOT NULL,                  -- seq of what took it back; 0 while it stands
    PRIMARY KEY (space, seq, a_id, b_id)
);
CREATE INDEX link_a ON link (space, a_id);
CREATE INDEX link_b ON link (space, b_id);

CREATE TABLE alias (                          -- names of vulnerabilities, and the one that stands for all
    space BIGINT NOT NULL,
    id    TEXT   NOT NULL,
    root  TEXT   NOT NULL,
    PRIMARY KEY (space, id)
);

CREATE TABLE issue (                          -- a root cause in a unit, and the work on it (docs/decisions/017)
    space       BIGINT  NOT NULL,
    id          BIGINT  NOT NULL,             -- identity.IssueKey
    gen_from    BIGINT  NOT NULL,
    gen_to      BIGINT,
    unit_id     BIGINT  NOT NULL,
    kind        TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    state       TEXT    NOT NULL,             -- open, in_progress, done, accepted, gone
    since_seq   BIGINT  NOT NULL,             -- entry by which that state began
    first_seq   BIGINT  NOT NULL,             -- entry by which the issue began
    reopened    BIGINT  NOT NULL,
    findings    BIGINT  NOT NULL,             -- that stand for themselves, in any state
    active      BIGINT  NOT NULL,
    critical    BIGINT  NOT NULL,             -- active ones by severity
    high        BIGINT  NOT NULL,
    medium      BIGINT  NOT NULL,
    low         BIGINT  NOT NULL,
    info        BIGINT  NOT NULL,
    worst       INTEGER NOT NULL,             -- rank of the worst active one; -1 for none
    accepted    BIGINT  NOT NULL,
    presences   BIGINT  NOT NULL,             -- of active ones: where they are
    working     INTEGER NOT NULL,             -- 1: somebody said that it is in progress
    owner       TEXT    NOT NULL,
    ticket_key  TEXT    NOT NULL,
    ticket_url  TEXT    NOT NULL,
    changed_seq BIGINT  NOT NULL,             -- newest entry in which a person changed it; 0 for none
    PRIMARY KEY (space, id, gen_from)
);
CREATE INDEX issue_active ON issue (space, active, presences, id);
CREATE INDEX issue_gen ON issue (space, gen_from);
CREATE INDEX issue_ended ON issue (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE issue_event (                    -- an issue's history; notes stay in the log
    space    BIGINT  NOT NULL,
    issue_id BIGINT  NOT NULL,
    seq      BIGINT  NOT NULL,
    n        INTEGER NOT NULL,
    gen_from BIGINT  NOT NULL,
    kind     TEXT    NOT NULL,                -- state, owner, ticket, note
    was      TEXT    NOT NULL,
    became   TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    PRIMARY KEY (space, issue_id, seq, n)
);
CREATE INDEX issue_event_gen ON issue_event (space, gen_from);

CREATE TABLE intel (                          -- what was imported last of each kind of intelligence
    space   BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    name    TEXT   NOT NULL,                  -- of the file
    records BIGINT NOT NULL,
    sets    BIGINT NOT NULL,
    PRIMARY KEY (space, kind)
);

CREATE TABLE redirect (
    space    BIGINT NOT NULL,
    old_id   BIGINT NOT NULL,
    new_id   BIGINT NOT NULL,
    gen_from BIGINT NOT NULL,
    gen_to   BIGINT,
    PRIMARY KEY (space, old_id, gen_from)
);
CREATE INDEX redirect_new ON redirect (space, new_id);

CREATE TABLE verdict (                        -- every decision, on the birth that it was made on
    space    BIGINT NOT NULL,
    birth_id BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    gen_from BIGINT NOT NULL,
    verdict  TEXT   NOT NULL,                 -- '' where an earlier one fell
    actor    TEXT   NOT NULL,
    until    BIGINT NOT NULL,                 -- 0 for none
    owner    TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    undoes   BIGINT NOT NULL,                 -- seq of the decision that it takes back; 0 for none
    words    BIGINT NOT NULL,                 -- seq of the decision whose verdict and reason hold: its own, or the restored one's
    words_by TEXT   NOT NULL,                 -- who made that
    was       TEXT  NOT NULL,                 -- what stood before, so that it can be taken back
    was_by    TEXT  NOT NULL,
    was_words BIGINT NOT NULL,
    was_until BIGINT NOT NULL,
    was_owner TEXT  NOT NULL,
    PRIMARY KEY (space, birth_id, seq)
);
CREATE INDEX verdict_gen ON verdict (space, gen_from);
CREATE INDEX verdict_seq ON verdict (space, seq);

CREATE TABLE decision (                       -- what people decided, one row an entry; reasons stay in the log
    space    BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    verdict  TEXT   NOT NULL,                 -- '' for one that only takes back
    until    BIGINT NOT NULL,                 -- 0 for none
    owner    TEXT   NOT NULL,
    findings BIGINT NOT NULL,                 -- how many it was applied to
    undoes   BIGINT NOT NULL,                 -- seq of the decision that it takes back; 0 for none
    PRIMARY KEY (space, seq)
);
CREATE INDEX decision_undoes ON decision (space, undoes) WHERE undoes <> 0;

CREATE TABLE event (                          -- a finding's history; its first line is the finding itself
    space      BIGINT NOT NULL,
    finding_id BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    gen_from   BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    known_at   BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    place_id   BIGINT NOT NULL,               -- 0 for the headline
    was        TEXT   NOT NULL,
    became     TEXT   NOT NULL,
    cause      TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (space, finding_id, seq, n)
);
CREATE INDEX event_gen ON event (space, gen_from);

CREATE TABLE counter (                        -- findings, by unit and dimension
    space   BIGINT NOT NULL,
    unit_id BIGINT NOT NULL,
    dim     TEXT   NOT NULL,                  -- state, severity, tool, class, target: all but state over active findings
    value   TEXT   NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (space, unit_id, dim, value)
);

CREATE TABLE asset (
    space    BIGINT NOT NULL,
    id       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    unit_id  BIGINT NOT NULL,
    gen_from BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,                 -- 0 while it lives
    PRIMARY KEY (space, id)
);
CREATE UNIQUE INDEX asset_key ON asset (space, kind, key);
CREATE INDEX asset_gen ON asset (space, gen_from);

CREATE TABLE asset_fact (                     -- what a stream says of an asset
    space    BIGINT NOT NULL,
    place_id BIGINT NOT NULL,
    asset_id BIGINT NOT NULL,
    gen_from BIGINT NOT NULL,
    gen_to   BIGINT,
    at       BIGINT NOT NULL,
    known_at BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    subtype  TEXT   NOT NULL,
    name     TEXT   NOT NULL,
    props    TEXT   NOT NULL,                 -- JSON
    PRIMARY KEY (space, place_id, asset_id, gen_from)
);
CREATE INDEX asset_fact_asset ON asset_fact (space, asset_id);
CREATE INDEX asset_fact_gen ON asset_fact (space, gen_from);
CREATE INDEX asset_fact_ended ON asset_fact (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE relation (                       -- what a stream says of two assets
    space      BIGINT NOT NULL,
    place_id   BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    from_id    BIGINT NOT NULL,
    to_id      BIGINT NOT NULL,
    gen_from   BIGINT NOT NULL,
    gen_to     BIGINT,
    at         BIGINT NOT NULL,
    known_at   BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    confidence INTEGER NOT NULL,
    method     TEXT   NOT NULL,
    PRIMARY KEY (space, place_id, from_id, kind, to_id, gen_from)
);
CREATE INDEX relation_to ON relation (space, to_id, kind);
CREATE INDEX relation_from ON relation (space, from_id, kind);
CREATE INDEX relation_gen ON relation (space, gen_from);
CREATE INDEX relation_ended ON relation (space, gen_to) WHERE gen_to IS NOT NULL;

CREATE TABLE ref_state (                      -- what happened to refs
    space  BIGINT NOT NULL,
    target TEXT   NOT NULL,
    ref    TEXT   NOT NULL,
    event  TEXT   NOT NULL,                   -- merged, closed, deleted
    into_ref TEXT NOT NULL,
    at     BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (space, target, ref)
);

CREATE TABLE deployment (                     -- what runs where; the newest per (unit, service, environment) is live
    space       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    unit_id     BIGINT NOT NULL,
    service     TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    version     TEXT   NOT NULL,              -- commit or digest
    units       TEXT   NOT NULL,              -- JSON array of the access units that it concerns; '' for all
    at          BIGINT NOT NULL,
    PRIMARY KEY (space, seq)
);
CREATE INDEX deployment_place ON deployment (space, unit_id, service, environment, at);
