package format

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

var htmlStart = regexp.MustCompile(`(?i)<!doctype\s+html|<html[\s>]`)

// lookMarkup samples XML or HTML. XHTML may be read as either.
func (p *parse) lookMarkup(l *look, text []byte) {
	l.kinds[kindText] = textSample(text)
	if htmlStart.Match(text[:min(len(text), 4<<10)]) {
		l.shape = "HTML"
		sample, err := htmlSample(text)
		if err != nil {
			l.err = err
			return
		}
		l.kinds[kindHTML] = sample
	}
	s := xmlSampler{d: &decoder{limits: p.limits}, left: 5000}
	w := &window{r: bytes.NewReader(text), buf: text, end: len(text), mark: -1, next: int64(len(text)), eof: true}
	s.x = &xmlScanner{w: w, limit: lookBytes}
	k, t, err := s.x.next(nil, 0)
	if err == nil && (k == xmlStart || k == xmlEmpty) {
		name, _ := localName(t)
		root := string(name)
		l.kinds[kindXML] = map[string]any{root: s.element(k, t, 0)}
		if l.shape == "" {
			l.shape = "XML with the root element " + cutText(root, 60)
		}
		return
	}
	if l.shape == "" {
		l.shape = "text that begins with <"
		var se *sinew.Error
		if errors.As(err, &se) && strings.Contains(se.Message, "ends at byte") && l.in.Size > int64(len(text)) {
			err = nil
		}
		l.err = err
	}
}

// xmlSampler copies the first part of an XML document without its bulk.
type xmlSampler struct {
	x    *xmlScanner
	d    *decoder
	left int
	stop bool
}

func (s *xmlSampler) element(k xmlKind, t []byte, depth int) any {
	local, rest := localName(t)
	name := string(local)
	out := map[string]any{}
	if err := s.x.attributes(rest, func(n, v []byte) {
		if i := bytes.IndexByte(n, ':'); i >= 0 && string(n[:i]) != "xmlns" {
			n = n[i+1:]
		}
		out["@"+string(n)] = sampleString(appendXMLText(nil, v[:min(len(v), sampleText)]))
	}); err != nil {
		s.stop = true
	}
	if k == xmlEmpty {
		return leaf(out, "")
	}
	count := map[string]int{}
	var text []byte
	for !s.stop {
		k, t, err := s.x.next(&text, sampleText)
		if err != nil || k == xmlEOF {
			s.stop = true
			break
		}
		if k == xmlEnd {
			if end, _ := localName(t); string(end) != name {
				s.stop = true
			}
			break
		}
		childName, _ := localName(t)
		child := string(childName)
		s.left--
		if count[child]++; count[child] > sampleElements || depth > sampleDepth || s.left < 0 {
			if k == xmlStart && s.x.skipElement(s.d.limits.Depth, nil) != nil {
				s.stop = true
			}
			continue
		}
		addChild(out, child, s.element(k, t, depth+1))
	}
	return leaf(out, sampleString(text))
}

func leaf(out map[string]any, text string) any {
	if len(out) == 0 {
		return text
	}
	if text = strings.TrimSpace(text); text != "" {
		out["#text"] = text
	}
	return out
}

func sampleString(b []byte) string {
	return strings.ToValidUTF8(strings.ReplaceAll(string(b[:min(len(b), sampleText)]), "\x00", ""), "\uFFFD")
}
