package identity

import (
	_ "embed"
	"strings"
)

// controls.txt says which rules of tools look at one thing of a resource.
//
//go:embed controls.txt
var controlsText string

// controls gives the control of each rule of controls.txt, wider the control that
// another one is a case of.
var controls, wider = readControls(controlsText)

func readControls(text string) (controls, wider map[string]string) {
	controls, wider = map[string]string{}, map[string]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, rules, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		if n, of, ok := strings.Cut(name, " < "); ok {
			name = n
			wider[name] = of
		}
		for rule := range strings.FieldsSeq(rules) {
			controls[foldedRule(rule)] = name
		}
	}
	return controls, wider
}

// setControl names what the rule of a sighting looks at: the control that several
// tools know, or the rule's own name.
func (s *Sighting) setControl() {
	rule := foldedRule(s.Rule)
	if name, ok := controls[rule]; ok {
		s.control, s.check = name, true
	} else if name, ok := controls[rule+"~"+strings.ReplaceAll(plainWords(s.Title), " ", "-")]; ok {
		s.control, s.check = name, true
	} else if isNumber(rule) { // means nothing without its tool
		s.control = s.Tool + " " + rule
	} else if rule != "" {
		s.control = rule
	} else {
		s.control = strings.Join(strings.Fields(strings.ToLower(s.Title)), " ")
	}
	s.check = s.check || isCheck(rule)
	s.wider = wider[s.control]
}

// checkPrefixes begin the rules of tools that look at configurations alone.
var checkPrefixes = []string{"ckv_", "ckv2_", "aws-", "azu-", "gcp-", "ksv-", "kcv-", "ds-", "google-", "azure-", "ac_", "dl", "sc"}

// isCheck reports whether a rule is of a tool that looks at configurations.
func isCheck(folded string) bool {
	for _, prefix := range checkPrefixes {
		rest, ok := strings.CutPrefix(folded, prefix)
		if !ok {
			continue
		}
		if len(prefix) > 2 {
			return prefix != "ckv_" || !strings.HasPrefix(rest, "secret_")
		}
		if len(rest) == 4 && isNumber(rest) { // DL3008 and SC2086 of hadolint
			return true
		}
	}
	return false
}

// foldedRule writes ids of checks in the one form that their tools share: Trivy's
// AVD-KSV-0017 is KSV-0017 to newer versions and was KSV017, Security Hub writes
// security-control/S3.4, and Ruff's S608 is Bandit's B608.
func foldedRule(rule string) string {
	rule = strings.ToLower(strings.TrimSpace(rule))
	rule = strings.TrimPrefix(rule, "avd-")
	if last := rule[strings.LastIndexByte(rule, '/')+1:]; isHubControl(last) {
		return last
	}
	letters := strings.TrimRight(rule, "0123456789")
	digits := rule[len(letters):]
	switch {
	case (letters == "ksv" || letters == "ds" || letters == "kcv") && digits != "":
		return letters + "-" + strings.Repeat("0", max(0, 4-len(digits))) + digits
	case letters == "s" && len(digits) == 3:
		return "b" + digits
	}
	return rule
}

// isHubControl reports whether s is a control of AWS Security Hub: S3.4, EC2.13.
func isHubControl(s string) bool {
	service, n, ok := strings.Cut(s, ".")
	return ok && service != "" && isNumber(n) && !strings.ContainsAny(service, "_- ")
}
