package identity

import (
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestKeysAreStable holds keys as they lie in databases. If it fails, presences that
// were written before are recognised no more: change MatcherVersion with the numbers.
func TestKeysAreStable(t *testing.T) {
	tests := []struct {
		name string
		o    sinew.Observation
		want Keys
	}{
		{"code", *codeFinding(), Keys{
			Content: 7327688306289859648, Place: 5963421867766754982, Moved: -5670390414862241745, Near: 446376260125303786, Line: 42, Text: 0x32c577fb,
		}},
		{"tool id", sinew.Observation{ToolID: "AX-1", Title: "t"}, Keys{
			Tool: 7740508500663674385, Content: 7370118609202821986, Near: 3077555399417691135, Text: 0x736a1b49,
		}},
		{"fingerprint", sinew.Observation{Rule: "r", Title: "t", Fingerprints: map[string]string{"matchBasedId/v1": "f00f"}}, Keys{
			Tool: 1001224602196118499, Content: 3046444722409396539, Near: 6685539501668599329, Text: 0x2f9d3f58,
		}},
		{"secret", sinew.Observation{Rule: "r", Title: "t", File: "a", Secret: "sinew:secret:k:1"}, Keys{
			Content: 2588856636042771166, Place: -4101385756699166416, Moved: -4720456733949100467, Text: 0x213a4f2d,
		}},
		{"dependency", sinew.Observation{Rule: "CVE-1", Title: "t", Package: &sinew.Package{Name: "n", Version: "1.0", PURL: "pkg:npm/n@1.0", Path: "p.json"}}, Keys{
			Content: 4485130371666697946, Place: -6301965069211776668, Moved: 3749016979217095078, Text: 0xa634090a,
		}},
		{"web", sinew.Observation{Rule: "r", Title: "t", Endpoint: &sinew.Endpoint{Method: "GET", URL: "https://a.example/api/things/1", Param: "q"}}, Keys{
			Content: -2741835511075117556, Place: 4819339053067632040, Text: 0x75122248,
		}},
		{"host", sinew.Observation{Rule: "r", Title: "t", Host: "web-1", Extra: map[string]any{"port": 443.0}}, Keys{
			Content: 3367752002338102412, Text: 0xd42eeafc,
		}},
		{"resource", sinew.Observation{Rule: "r", Title: "t", File: "main.tf", Resource: &sinew.Resource{Type: "bucket", Name: "b"}}, Keys{
			Content: 5446367917372286930, Place: 3190099098175270261, Text: 0x60380feb,
		}},
		{"other", sinew.Observation{Rule: "r", Title: "t", IDs: []string{"CVE-1"}}, Keys{
			Content: 3046444722409396539, Place: -4560430871151457634, Near: 6685539501668599329, Text: 0xa3c5fe6b,
		}},
	}
	for _, tt := range tests {
		if got := KeysOf(&tt.o); got != tt.want {
			t.Errorf("%s:\n%#v, want\n%#v", tt.name, got, tt.want)
		}
	}
}
