package identity

import (
	"slices"
	"strings"
	"testing"
)

// TestTables keeps the tables of correlation free of contradictions: a CWE in two
// families, or a rule under two controls, would be decided by chance.
func TestTables(t *testing.T) {
	family := map[int]string{}
	for name, list := range families {
		for _, n := range list {
			if other, twice := family[n]; twice {
				t.Errorf("CWE-%d is in the families %q and %q", n, other, name)
			}
			if vagueCWE[n] {
				t.Errorf("CWE-%d says nothing of what is wrong, and is in the family %q", n, name)
			}
			family[n] = name
		}
	}
	rules, names := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(controlsText) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		name, list, ok := strings.Cut(line, ": ")
		if !ok || len(strings.Fields(list)) == 0 {
			t.Errorf("controls.txt: %q is no control with rules", line)
		}
		name, _, _ = strings.Cut(name, " < ")
		if names[name] {
			t.Errorf("controls.txt: %s is there twice", name)
		}
		names[name] = true
		for rule := range strings.FieldsSeq(list) {
			rule = foldedRule(rule)
			if other, twice := rules[rule]; twice {
				t.Errorf("controls.txt: %s is under %s and %s", rule, other, name)
			}
			rules[rule] = name
		}
	}
	for name, of := range wider {
		if !names[of] {
			t.Errorf("controls.txt: %s is a case of %s, which is not there", name, of)
		}
	}
	for rule, list := range ruleCWEs {
		for _, n := range list {
			if n == 0 {
				t.Errorf("weaknesses.txt: %s has no CWE", rule)
			}
		}
	}
}

func TestFoldedRule(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"AVD-KSV-0017", "ksv-0017"},
		{"KSV017", "ksv-0017"},
		{"DS002", "ds-0002"},
		{"CKV_AWS_19", "ckv_aws_19"},
		{"security-control/S3.4", "s3.4"},
		{"aws-foundational-security-best-practices/v/1.0.0/EC2.13", "ec2.13"},
		{"S608", "b608"},
		{"S2077", "s2077"},
		{"security/detect-child-process", "security/detect-child-process"},
	} {
		if got := foldedRule(c.rule); got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}

// TestWeaknesses shows row ING4: one weakness is told by many names.
func TestWeaknesses(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Sighting
		want []string
	}{
		{"a CWE", Sighting{Class: "code", File: "a", CWE: []int{564}}, []string{"sql injection"}},
		{"a CWE of no family", Sighting{Class: "code", File: "a", CWE: []int{1188}}, []string{"CWE-1188"}},
		{"a rule that is known by its documentation", Sighting{Class: "code", File: "a", Rule: "B307", CWE: []int{78}}, []string{"code injection"}},
		{"the same key in every language", Sighting{Class: "code", File: "a", Rule: "squid:S2077"}, []string{"sql injection"}},
		{"words, where no CWE is told", Sighting{Class: "code", File: "a", Rule: "Path Manipulation"}, []string{"path traversal"}},
		{"words choose among all that may follow", Sighting{Class: "web", URL: "https://a/b", Title: "SQL injection", CWE: []int{89, 94, 79}}, []string{"sql injection"}},
		{"a header", Sighting{Class: "web", URL: "https://a/", Title: "Strict transport security not enforced", CWE: []int{523}}, []string{"strict transport"}},
		{"no policy", Sighting{Class: "web", URL: "https://a/", Title: "Content Security Policy (CSP) Header Not Set", CWE: []int{693}}, []string{"content security policy"}},
		{"a weak policy is another fault", Sighting{Class: "web", URL: "https://a/", Title: "CSP: Wildcard Directive", CWE: []int{693}}, []string{"content of the security policy"}},
		{"a check of a configuration", Sighting{Class: "code", File: "a.tf", Rule: "CKV_AWS_41", Title: "no hard coded AWS access key"}, nil},
		{"a class that says nothing", Sighting{Class: "code", File: "a", CWE: []int{20}, Title: "Improper input"}, nil},
	} {
		c.s.prepare()
		if !slices.Equal(c.s.weak, c.want) {
			t.Errorf("%s: %q, want %q", c.name, c.s.weak, c.want)
		}
	}
}
