package identity

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

// Tools name one weakness by different CWEs: the base, a child, an older one. A
// family holds those that tools use for the same problem at the same place; each CWE
// is in one family. Sources: the relations of MITRE's CWE list (views 1000 and 1003),
// and what the rules of common scanners are labelled with.

const (
	familySecret   = "hard-coded secret" //nolint:gosec // a name of a weakness
	familyExposure = "information exposure"
	familyCookie   = "cookie attributes"
)

var families = map[string][]int{
	"sql injection":          {89, 564, 943},
	"command injection":      {77, 78, 88},
	"code injection":         {94, 95, 96, 97, 624, 917, 1336},
	"cross-site scripting":   {79, 80, 81, 82, 83, 84, 85, 86, 87},
	"path traversal":         {22, 23, 24, 25, 26, 27, 28, 29, 31, 35, 36, 37, 38, 39, 40, 73, 99},
	"request forgery":        {441, 918},
	"open redirect":          {601},
	"xml external entities":  {91, 112, 611, 776, 827},
	"deserialisation":        {502},
	"weak cryptography":      {310, 323, 325, 326, 327, 328, 329, 696, 759, 760, 780, 916, 1204, 1240},
	"weak randomness":        {330, 331, 332, 333, 334, 335, 336, 337, 338, 339, 340, 341, 342, 343, 1241},
	familySecret:             {256, 257, 258, 259, 260, 312, 321, 522, 540, 547, 798, 1392},
	"cross-site request":     {352},
	"certificate validation": {295, 296, 297, 298, 299, 599, 322},
	"cleartext transmission": {311, 319, 523},
	familyExposure:           {200, 201, 203, 209, 210, 211, 213, 497, 530, 532, 538, 548, 550, 598, 615, 651},
	"debug":                  {11, 215, 489},
	"temporary file":         {377, 378, 379},
	"permissions":            {276, 277, 278, 279, 281, 732},
	"privileges":             {250, 266, 269, 272},
	"race condition":         {362, 363, 364, 366, 367, 368},
	"regular expression":     {185, 186, 625, 777, 1333},
	"resource exhaustion":    {400, 405, 409, 410, 770, 771, 772, 774, 789, 799, 1050},
	"bind to everything":     {605, 1327},
	"header injection":       {93, 113},
	"log injection":          {117},
	"ldap injection":         {90},
	"xpath injection":        {643, 652},
	"mass assignment":        {915},
	"framing":                {451, 1021},
	familyCookie:             {315, 539, 565, 614, 1004, 1275},
	"cross-origin":           {346, 942, 1385},
	"token verification":     {345, 347, 1390},
	"prototype pollution":    {1321},
	"unsafe reflection":      {470},
	"file upload":            {434},
	"timing":                 {208, 385},
	"authentication":         {287, 288, 294, 303, 304, 305, 306},
	"authorisation":          {284, 285, 566, 639, 862, 863},
	"buffer overflow":        {118, 119, 120, 121, 122, 124, 125, 126, 127, 786, 787, 788, 805, 806},
	"integer overflow":       {190, 191, 192, 194, 195, 196, 197, 680, 681},
	"use after free":         {415, 416, 825},
	"null dereference":       {476, 690},
	"format string":          {134},
	"uninitialised":          {456, 457, 824, 908},
	"unchecked result":       {248, 252, 253, 273, 390, 391, 394, 396, 397, 544, 703, 754, 755},
}

// vagueCWE are categories and classes that say nothing of what is wrong.
var vagueCWE = map[int]bool{
	0: true, 16: true, 17: true, 18: true, 19: true, 20: true, 74: true, 116: true, 254: true, 264: true, 265: true, 275: true, 388: true, 398: true, 399: true,
	664: true, 668: true, 676: true, 691: true, 693: true, 707: true, 710: true, 829: true, 933: true, 937: true, 1035: true, 1104: true,
}

// cweFamilies is the family of a CWE.
var cweFamilies = func() map[int]string {
	out := map[int]string{}
	for name, list := range families {
		for _, n := range list {
			out[n] = name
		}
	}
	return out
}()

// weaknesses.txt says what the rules of common scanners look for whose reports tell
// no CWE, or too wide a one.
//
//go:embed weaknesses.txt
var weaknessesText string

var ruleCWEs = readRuleCWEs(weaknessesText)

func readRuleCWEs(text string) map[string][]int {
	out := map[string][]int{}
	for line := range strings.Lines(text) {
		name, rules, ok := strings.Cut(line, ": ")
		digits, isCWE := strings.CutPrefix(name, "CWE-")
		if !ok || !isCWE {
			continue
		}
		n, _ := strconv.Atoi(digits)
		for rule := range strings.FieldsSeq(rules) {
			out[foldedRule(rule)] = append(out[foldedRule(rule)], n)
		}
	}
	return out
}

// cwesOf are the CWEs of a finding: what its rule is known to look for, else what the
// tool tells.
func cwesOf(s *Sighting) []int {
	rule := s.Rule
	for range 2 { // squid:S2068 is known as S2068
		if list := ruleCWEs[foldedRule(rule)]; list != nil {
			return list
		}
		_, after, ok := strings.Cut(rule, ":")
		if !ok {
			break
		}
		rule = after
	}
	return s.CWE
}

// weaknessesOf gives the families of a finding's weakness, and each CWE that belongs
// to none.
func weaknessesOf(s *Sighting) (out []string) {
	web := s.kind() == kindWeb
	add := func(list ...string) {
		for _, w := range list {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	if web { // CWEs of headers are too wide, and every scanner chooses another
		if out = headersInWords(plainWords(s.Rule + " " + s.Title)); len(out) > 0 {
			return out
		}
	}
	told := false
	for _, n := range cwesOf(s) {
		if vagueCWE[n] || web && n == 200 {
			continue
		}
		told = true
		f := cweFamilies[n]
		if f == "" || web && (f == familyExposure || f == familyCookie) {
			f = "CWE-" + strconv.Itoa(n)
		}
		add(f)
	}
	if s.Secret != "" || strings.HasSuffix(s.control, "-secrets") || strings.HasPrefix(foldedRule(s.Rule), "ckv_secret_") {
		add(familySecret)
	}
	if s.check { // its control says all
		return out
	}
	rule := plainWords(s.Rule)
	said := inWords(words, rule+" | "+plainWords(s.Title))
	if both := slices.DeleteFunc(slices.Clone(out), func(w string) bool { return !slices.Contains(said, w) }); len(both) > 0 {
		return both // the CWEs that the words confirm, of a list of all that may follow
	}
	if told {
		said = inWords(words, rule)
	}
	add(said...)
	slices.Sort(out)
	return out
}

// words are what names of rules and titles say of a weakness, where a tool gives no
// CWE or another one. A word stands for itself, never for a part of another; two
// with a space follow each other.
var words = map[string][]string{
	"sql injection":          {"sqli", "sql injection", "sql query construction", "tainted sql", "formatted sql", "sql string", "nosql injection", "nosqli", "hardcoded sql"},
	"command injection":      {"command injection", "os command", "shell injection", "subprocess", "exec injection", "child process", "start process", "dangerous exec", "os system", "shell true", "spawn shell", "process builder"},
	"code injection":         {"eval", "code injection", "exec used", "ssti", "template injection", "dynamic code", "dynamic code evaluation"},
	"cross-site scripting":   {"xss", "cross site scripting", "innerhtml", "mark safe", "autoescape", "dangerouslysetinnerhtml", "unescaped"},
	"path traversal":         {"path traversal", "directory traversal", "path manipulation", "zip slip", "zipslip", "file inclusion", "non literal fs", "fs filename", "tainted path", "path injection"},
	"request forgery":        {"ssrf", "server side request forgery"},
	"open redirect":          {"open redirect", "unvalidated redirect", "url redirection", "url redirect"},
	"xml external entities":  {"xxe", "xml external entity", "xml external entities", "xml bomb", "billion laughs"},
	"deserialisation":        {"deserialization", "deserialisation", "unsafe deserialization", "pickle", "yaml load", "unserialize", "node serialize"},
	"weak cryptography":      {"md5", "sha1", "rc4", "ecb", "weak hash", "weak crypto", "weak cipher", "insecure hash", "insecure cipher", "weak cryptographic", "weak encryption", "blocklisted import", "inadequate padding", "weak hashing"},
	"weak randomness":        {"insecure random", "weak random", "pseudo random", "math random", "weak rand", "insecure randomness", "pseudorandom", "pseudo random generators", "predictable random"},
	familySecret:             {"hardcoded password", "hardcoded secret", "hard coded password", "hard coded secret", "hard coded credential", "hardcoded credential", "hardcoded credentials", "hard coded credentials", "hardcoded token", "hardcoded key", "hardcoded api", "hardcoded jwt", "hard coded key", "private key", "api key", "access token", "secret key", "high entropy string", "basic auth credentials"},
	"cross-site request":     {"csrf", "xsrf", "cross site request forgery", "csurf"},
	"certificate validation": {"insecureskipverify", "verify false", "cert validation", "certificate validation", "no cert validation", "disabled cert", "bypass tls", "reject unauthorized", "certificate verification"},
	"debug":                  {"debug true", "debug enabled", "debugger", "debug mode"},
	"temporary file":         {"tempfile", "hardcoded tmp", "mktemp", "temporary file", "tmp directory", "insecure temporary", "temp file"},
	"regular expression":     {"redos", "unsafe regex", "non literal regexp", "regex dos", "regex injection", "regular expression denial"},
	"bind to everything":     {"bind all interfaces", "binding to all interfaces", "all interfaces"},
	"log injection":          {"log injection", "log forging"},
	"header injection":       {"header injection", "crlf injection", "response splitting", "header manipulation"},
	"ldap injection":         {"ldap injection"},
	"xpath injection":        {"xpath injection"},
	"prototype pollution":    {"prototype pollution"},
	"mass assignment":        {"mass assignment"},
	"permissions":            {"file permissions", "world writable", "incorrect permission"},
	"token verification":     {"jwt none", "unverified jwt", "jwt verify", "jwt decode"},
	"file upload":            {"file upload", "unrestricted upload"},
	"null dereference":       {"null dereference", "null pointer dereference"},
	"timing":                 {"timing attack", "timing attacks"},
}

// headers are what titles of web scanners say of the answers of a server: which
// header or attribute is missing, which page tells too much.
var headers = map[string][]string{
	"content security policy": {"content security policy", "csp"},
	"strict transport":        {"strict transport security", "hsts"},
	"content type options":    {"x content type options", "content type options", "nosniff"},
	"framing":                 {"clickjacking", "x frame options", "anti clickjacking", "frameable response", "framable response"},
	"referrer policy":         {"referrer policy"},
	"permissions policy":      {"permissions policy", "feature policy"},
	"cookie: HttpOnly":        {"httponly", "http only"},
	"cookie: Secure":          {"cookie without secure", "secure flag", "secure attribute", "cookie secure"},
	"cookie: SameSite":        {"samesite", "same site"},
	"cross-origin sharing":    {"cors", "cross origin resource sharing", "cross domain misconfiguration"},
	"subresource integrity":   {"sub resource integrity", "subresource integrity"},
	"directory listing":       {"directory listing", "directory browsing", "directory indexing"},
	"server version":          {"server leaks version", "server banner", "version disclosure", "server version", "server header"},
	"powered by":              {"x powered by"},
	"trace method":            {"trace method", "http trace", "cross site tracing", "trace enabled"},
	"private address":         {"private ip"},
	"cross-site request":      {"csrf", "xsrf", "cross site request forgery"},
	"old JavaScript library":  {"vulnerable js library", "vulnerable java script", "vulnerable javascript", "javascript dependency", "java script dependency"},
}

// ofAllAnswers are those of them that are a property of a site, whatever page a
// scanner saw them on.
var ofAllAnswers = map[string]bool{
	"content security policy": true, "strict transport": true, "content type options": true, "framing": true, "referrer policy": true, "permissions policy": true,
	"cookie: HttpOnly": true, "cookie: Secure": true, "cookie: SameSite": true, "server version": true, "powered by": true, "trace method": true,
}

// headersInWords gives what titles of web scanners speak of. A policy that is there
// and too weak is another fault than one that is not.
func headersInWords(text string) []string {
	out := inWords(headers, text)
	for i, family := range out {
		if family == "content security policy" && !slices.ContainsFunc(strings.Fields(text), isMissing) {
			out[i] = "content of the security policy"
		}
	}
	return out
}

func isMissing(word string) bool {
	return slices.Contains([]string{"missing", "not", "no", "without", "lack", "lacks", "absent"}, word)
}

// faults are what titles of network scanners say of a service that has no
// vulnerability with a name of its own.
var faults = map[string][]string{
	"certificate: self-signed":    {"self signed"},
	"certificate: expired":        {"certificate expiry", "certificate expired", "expired certificate", "has expired", "certificate has expired"},
	"certificate: wrong host":     {"certificate with wrong hostname", "common name does not match", "subject common name", "common name mismatch", "hostname mismatch"},
	"certificate: not trusted":    {"certificate cannot be trusted", "signed by unknown", "certificate not trusted", "signature verification failed", "untrusted certificate"},
	"certificate: weak signature": {"weak hashing algorithm", "weak signature algorithm"},
	"TLS 1.0":                     {"tls version 1 0", "tls 1 0", "tlsv1 0"},
	"TLS 1.1":                     {"tls version 1 1", "tls 1 1", "tlsv1 1"},
	"SSL 2 and 3":                 {"sslv2", "sslv3", "ssl version 2 and 3", "ssl 3 0", "ssl 2 0"},
	"TLS: weak ciphers":           {"weak cipher", "weak ciphers", "medium strength cipher", "rc4 cipher", "cipher suites supported", "vulnerable cipher suites", "weak cipher suites"},
	"SMB: signing":                {"smb signing", "smb message signing"},
	"SSH: weak MAC":               {"weak mac", "mac algorithm", "mac algorithms"},
	"SSH: weak key exchange":      {"key exchange", "kex algorithm", "kex algorithms"},
	"SSH: weak ciphers":           {"weak encryption algorithm", "weak encryption algorithms", "ssh weak algorithms", "cbc mode ciphers", "weak ssh encryption"},
	"ICMP timestamps":             {"icmp timestamp"},
	"TCP timestamps":              {"tcp timestamp", "tcp timestamps", "tcp ip timestamps"},
	"FTP: anonymous":              {"anonymous ftp", "ftp anonymous"},
	"FTP: cleartext":              {"ftp unencrypted cleartext", "ftp supports cleartext", "cleartext ftp"},
	"Telnet":                      {"unencrypted telnet", "telnet unencrypted", "telnet service"},
	"SNMP: default community":     {"default community", "community name", "snmp agent default"},
	"HTTP: TRACE":                 {"http trace", "trace track", "debugging methods"},
	"HTTP: cleartext login":       {"cleartext transmission of sensitive information via http"},
	"RDP: network authentication": {"network level authentication"},
	"DNS: recursion":              {"recursive query", "dns recursion", "recursive queries"},
	"NTP: mode 6":                 {"mode 6"},
	"operating system: unsupported": {
		"operating system unsupported", "unsupported version detection", "operating system end of life", "os end of life", "operating system eol",
		"obsolete operating system",
	},
	"HSTS": {"hsts", "strict transport security"},
}

// faultsInWords gives what the title of a network scanner's finding speaks of.
func faultsInWords(title string) []string { return inWords(faults, plainWords(title)) }

// inWords gives the entries of a table that a text in plain words speaks of, sorted.
func inWords(table map[string][]string, text string) (out []string) {
	text = " " + text + " "
	for name, list := range table {
		for _, w := range list {
			if strings.Contains(text, " "+w+" ") {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// plainWords writes a name in lower case with single spaces between its words:
// "python.lang.security.subprocess-shell-true" and "subprocessShellTrue" alike.
func plainWords(s string) string {
	var b strings.Builder
	lowerBefore, space := false, false
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || isDigit(c) || c >= 0x80:
		case c >= 'A' && c <= 'Z':
			if lowerBefore {
				space = true
			}
		default:
			space, lowerBefore = true, false
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteByte(lower(c))
		lowerBefore = c >= 'a' && c <= 'z'
	}
	return b.String()
}
