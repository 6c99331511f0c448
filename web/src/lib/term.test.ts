import { describe, expect, test } from 'vitest';
import { anyOf, term, terms } from './term';

describe('term', () => {
  test.each([
    ['app', 'shop', 'app:==shop'],
    ['target', 'git.example.org/a b', 'target:=="git.example.org/a b"'],
    ['ref', '-x', 'ref:=="-x"'],
    ['app', '', 'app:==""'],
    ['rule', 'say "a\\b"', 'rule:=="say \\"a\\\\b\\""'],
    ['label', 'a,b', 'label:=="a,b"'],
    ['purl', 'pkg:npm/%40types/node@1', 'purl:==pkg:npm/%40types/node@1'],
  ])('%s of %s', (field, value, want) => {
    expect(term(field, value)).toBe(want);
  });
  test('other operators', () => {
    expect(term('severity', 'high', '>=')).toBe('severity:>=high');
    expect(term('is', 'open', '=')).toBe('is:open');
  });
});

test('terms leaves out what is empty', () => {
  expect(terms('is:open', '', undefined, false, 'app:==shop')).toBe('is:open app:==shop');
});

test('any of several values', () => {
  expect(anyOf('app', ['shop', 'back office', ''])).toBe('app:==shop,"back office",""');
});
