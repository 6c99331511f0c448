package sinew

import (
	"slices"
	"strings"
)

// AssetKind is a kind of node of the graph (design section 5). The provider's
// own type is a property, never a new kind.
type AssetKind string

// The asset kinds.
const (
	KindOrganisation  AssetKind = "organisation"
	KindBusinessUnit  AssetKind = "businessunit"
	KindApplication   AssetKind = "application"
	KindService       AssetKind = "service"
	KindEnvironment   AssetKind = "environment"
	KindRef           AssetKind = "ref"
	KindChange        AssetKind = "change"
	KindDeployment    AssetKind = "deployment"
	KindPerson        AssetKind = "person"
	KindTeam          AssetKind = "team"
	KindRepo          AssetKind = "repo"
	KindCommit        AssetKind = "commit"
	KindCodeLocation  AssetKind = "codelocation"
	KindPipeline      AssetKind = "pipeline"
	KindBuild         AssetKind = "build"
	KindArtifact      AssetKind = "artifact"
	KindImageRef      AssetKind = "imageref"
	KindPackage       AssetKind = "package"
	KindVulnerability AssetKind = "vulnerability"
	KindDocument      AssetKind = "document"
	KindSecret        AssetKind = "secret"
	KindCluster       AssetKind = "cluster"
	KindCompute       AssetKind = "compute"
	KindWorkload      AssetKind = "workload"
	KindNetEndpoint   AssetKind = "netendpoint"
	KindNetwork       AssetKind = "network"
	KindNetPolicy     AssetKind = "netpolicy"
	KindExternalPeer  AssetKind = "externalpeer"
	KindIdentity      AssetKind = "identity"
	KindPolicy        AssetKind = "policy"
	KindDatastore     AssetKind = "datastore"
	KindDataClass     AssetKind = "dataclass"
	KindAPIEndpoint   AssetKind = "apiendpoint"
	KindAIModel       AssetKind = "aimodel"
	KindCloudAccount  AssetKind = "cloudaccount"
	KindIaCResource   AssetKind = "iacresource"
)

// AssetKinds lists every kind of the ontology.
var AssetKinds = []AssetKind{
	KindOrganisation, KindBusinessUnit, KindApplication, KindService, KindEnvironment, KindRef, KindChange,
	KindDeployment, KindPerson, KindTeam, KindRepo, KindCommit, KindCodeLocation, KindPipeline, KindBuild,
	KindArtifact, KindImageRef, KindPackage, KindVulnerability, KindDocument, KindSecret, KindCluster,
	KindCompute, KindWorkload, KindNetEndpoint, KindNetwork, KindNetPolicy, KindExternalPeer, KindIdentity,
	KindPolicy, KindDatastore, KindDataClass, KindAPIEndpoint, KindAIModel, KindCloudAccount, KindIaCResource,
}

// Known reports whether k is a kind of the ontology.
func (k AssetKind) Known() bool {
	return slices.Contains(AssetKinds, k)
}

// Asset is a thing that a source tells about, under the source's own key.
type Asset struct {
	Kind    AssetKind         `json:"kind"`
	Key     string            `json:"key"` // natural key, see design section 5
	Subtype string            `json:"subtype,omitempty"`
	Name    string            `json:"name,omitempty"`
	Props   map[string]string `json:"props,omitempty"`
}

// EdgeKind is a kind of relation (design section 5).
type EdgeKind string

// The edge kinds.
const (
	EdgeMemberOf     EdgeKind = "member_of"
	EdgeOwns         EdgeKind = "owns"
	EdgeIdentifies   EdgeKind = "identifies"
	EdgePartOf       EdgeKind = "part_of"
	EdgeContains     EdgeKind = "contains"
	EdgeAuthored     EdgeKind = "authored"
	EdgeChanged      EdgeKind = "changed"
	EdgeInstanceOf   EdgeKind = "instance_of"
	EdgeBuiltFrom    EdgeKind = "built_from"
	EdgeProduced     EdgeKind = "produced"
	EdgePackagedFrom EdgeKind = "packaged_from"
	EdgePointsTo     EdgeKind = "points_to"
	EdgeBasedOn      EdgeKind = "based_on"
	EdgeDescribes    EdgeKind = "describes"
	EdgeHasPackage   EdgeKind = "has_package"
	EdgeDependsOn    EdgeKind = "depends_on"
	EdgeAffectedBy   EdgeKind = "affected_by"
	EdgeEmbeds       EdgeKind = "embeds"
	EdgeAuthAs       EdgeKind = "authenticates_as"
	EdgeDeclares     EdgeKind = "declares"
	EdgeManages      EdgeKind = "manages"
	EdgeDeploys      EdgeKind = "deploys"
	EdgeRuns         EdgeKind = "runs"
	EdgeRunsOn       EdgeKind = "runs_on"
	EdgeRunsAs       EdgeKind = "runs_as"
	EdgeRoutesTo     EdgeKind = "routes_to"
	EdgeAttachedTo   EdgeKind = "attached_to"
	EdgeCanReach     EdgeKind = "can_reach"
	EdgeCanAssume    EdgeKind = "can_assume"
	EdgeCanAccess    EdgeKind = "can_access"
	EdgeServes       EdgeKind = "serves"
	EdgeCalls        EdgeKind = "calls"
	EdgeHolds        EdgeKind = "holds"
)

// EdgeKinds lists every edge kind of the ontology.
var EdgeKinds = []EdgeKind{
	EdgeMemberOf, EdgeOwns, EdgeIdentifies, EdgePartOf, EdgeContains, EdgeAuthored, EdgeChanged, EdgeInstanceOf,
	EdgeBuiltFrom, EdgeProduced, EdgePackagedFrom, EdgePointsTo, EdgeBasedOn, EdgeDescribes, EdgeHasPackage,
	EdgeDependsOn, EdgeAffectedBy, EdgeEmbeds, EdgeAuthAs, EdgeDeclares, EdgeManages, EdgeDeploys, EdgeRuns,
	EdgeRunsOn, EdgeRunsAs, EdgeRoutesTo, EdgeAttachedTo, EdgeCanReach, EdgeCanAssume, EdgeCanAccess,
	EdgeServes, EdgeCalls, EdgeHolds,
}

// Known reports whether k is an edge kind of the ontology.
func (k EdgeKind) Known() bool {
	return slices.Contains(EdgeKinds, k)
}

// AssetKey names an asset in a relation: kind, then natural key.
type AssetKey struct {
	Kind AssetKind `json:"kind"`
	Key  string    `json:"key"`
}

func (k AssetKey) String() string { return string(k.Kind) + ":" + k.Key }

// ParseAssetKey reads what [AssetKey.String] wrote.
func ParseAssetKey(s string) (AssetKey, error) {
	kind, key, ok := strings.Cut(s, ":")
	k := AssetKey{Kind: AssetKind(kind), Key: key}
	if !ok || key == "" || !k.Kind.Known() {
		return AssetKey{}, Errorf(CodeInvalid, "%q is not kind:key", s).Hint("for example compute:web-1.example.org")
	}
	return k, nil
}

// Relation is an edge that a source tells about.
type Relation struct {
	Kind       EdgeKind `json:"kind"`
	From       AssetKey `json:"from"`
	To         AssetKey `json:"to"`
	Confidence int      `json:"confidence,omitempty"` // percent; 0 means the source states it as a fact
	Method     string   `json:"method,omitempty"`     // how it was concluded
}

// Validate reports a kind or key that the ontology does not know.
func (a *Asset) Validate() error {
	if !a.Kind.Known() {
		return Errorf(CodeInvalid, "unknown asset kind %q", a.Kind)
	}
	if a.Key == "" {
		return Errorf(CodeInvalid, "asset of kind %s has no key", a.Kind)
	}
	return nil
}

// Validate reports a kind or key that the ontology does not know.
func (r *Relation) Validate() error {
	if !r.Kind.Known() {
		return Errorf(CodeInvalid, "unknown relation kind %q", r.Kind)
	}
	for _, k := range []AssetKey{r.From, r.To} {
		if !k.Kind.Known() || k.Key == "" {
			return Errorf(CodeInvalid, "relation %s has a bad end %q", r.Kind, k)
		}
	}
	return nil
}
