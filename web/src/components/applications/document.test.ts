import { describe, expect, test } from 'vitest';
import { faultLine, lineCount, lineSpan, newLine } from './document';

test.each([
  ['line 3', 3],
  ['rules, line 12, column 4', 12],
  ['character 4', null],
  [undefined, null],
])('the fault in %s', (where, want) => {
  expect(faultLine(where)).toBe(want);
});

describe('lines', () => {
  const text = 'a: 1\nbc: 2\n';
  test('are counted as an editor counts them', () => {
    expect([lineCount(''), lineCount('a'), lineCount(text)]).toEqual([1, 1, 3]);
  });
  test.each([
    [1, 'a: 1'],
    [2, 'bc: 2'],
    [3, ''],
    [9, ''],
  ])('line %i', (line, want) => {
    expect(text.slice(...lineSpan(text, line))).toBe(want);
  });
});

describe('a new line', () => {
  test.each([
    ['a: 1', '\n'],
    ['  a: 1', '\n  '],
    ['  match:', '\n    '],
    ['  - services:', '\n      '],
  ])('after %j', (text, want) => {
    expect(newLine(text, text.length)).toBe(want);
  });
});
