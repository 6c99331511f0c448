import { describe, expect, test } from 'vitest';
import { both, byteOffset, chosen, drop, exclude, faultAt, quote, terms, textOffset, toggle, without } from './filter';

describe('terms', () => {
  test.each([
    ['severity:>=high is:open', [['severity', '>=', ['high']], ['is', '', ['open']]]],
    ['rule:"a b, c",x  -owner:none', [['rule', '', ['a b, c', 'x']], ['owner', '', ['none']]]],
    ['sql "cross site"', [['', '', ['sql']], ['', '', ['cross site']]]],
    ['application:shop rule:==a*', [['app', '', ['shop']], ['rule', '==', ['a*']]]],
    ['file:"a\\"b" tool:', [['file', '', ['a"b']], ['tool', '', []]]],
    ['"never closed is:open', [['', '', ['never closed is:open']]]],
  ])('%s', (text, want) => {
    expect(terms(text).map((t) => [t.field, t.op, t.values])).toEqual(want);
  });
  test('say where they are', () => {
    expect(terms('is:open  -tool:x').map((t) => [t.start, t.end, t.negated])).toEqual([[0, 7, false], [9, 16, true]]);
  });
});

describe('a facet', () => {
  test.each([
    ['', 'severity', 'high', 'severity:high'],
    ['severity:high', 'severity', 'high', ''],
    ['is:open severity:high tool:x', 'severity', 'low', 'is:open severity:high,low tool:x'],
    ['severity:>=high', 'severity', 'high', 'severity:critical'],
    ['sev:>=high', 'severity', 'medium', 'severity:high,critical,medium'],
    ['tool:a tool:b', 'tool', 'a', 'tool:b'],
    ['-tool:a', 'tool', 'a', '-tool:a tool:a'],
    ['app:shop', 'app', 'my app', 'app:shop,"my app"'],
    ['', 'target', 'x*y', 'target:==x*y'],
    ['line:>10 words', 'tool', 'b', 'line:>10 words tool:b'],
    ['file:~util', 'file', 'a', 'file:~util file:a'],
  ])('%s, %s %s', (text, field, value, want) => {
    expect(toggle(text, field, value)).toBe(want);
  });
  test('twice changes nothing', () => {
    const text = 'is:open tool:trivy "two words"';
    expect(toggle(toggle(text, 'tool', 'semgrep'), 'tool', 'semgrep')).toBe(text);
  });
  test('shows what is asked for', () => {
    expect([...chosen('severity:>=high -severity:low', 'severity')]).toEqual(['high', 'critical']);
    expect([...chosen('tool:~sem tool:trivy,grype', 'tool')]).toEqual(['trivy', 'grype']);
    expect([...chosen('severity:<low', 'severity')]).toEqual(['info']);
  });
  test('excludes', () => {
    expect(exclude('tool:a,b', 'tool', 'a')).toBe('tool:b -tool:a');
  });
});

test('terms are left out', () => {
  expect(without('sev:high is:open -severity:low', 'severity')).toBe('is:open');
  const text = 'is:open "a b" is:open';
  expect(drop(text, terms(text)[1]!)).toBe('is:open is:open');
  expect(both(' ', 'is:open')).toBe('is:open');
});

test('values are read back as they were', () => {
  for (const value of ['a', 'a b', 'a,b', 'say "x"', 'back\\slash "q"', '-x', '>=1', '~y']) {
    expect(terms(`rule:${quote(value)}`)[0]!.values).toEqual([value]);
  }
});

test('positions are bytes for the server and characters in its errors', () => {
  const text = 'ärger 😀 is:open';
  expect(byteOffset(text, text.indexOf('is'))).toBe(12);
  expect(textOffset(text, 12)).toBe(text.indexOf('is'));
  expect(faultAt('ärger severty:high', 'filter, character 7')).toEqual({ start: 6, end: 13 });
  expect(faultAt('😀 severty:high', 'filter, character 3')).toEqual({ start: 3, end: 10 });
  expect(faultAt('severity:', 'filter, character 10')).toEqual({ start: 9, end: 10 });
  expect(faultAt('x', 'body.findings')).toBeNull();
  expect(faultAt('x', undefined)).toBeNull();
});
