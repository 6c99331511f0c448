import { describe, expect, test } from 'vitest';
import { parameters } from '../../api/imports';
import { asTime, blank, declaration, empty, remember, remembered, valid } from './declared';

describe('asTime', () => {
  test.each([
    ['2026-11-20', '2026-11-20T00:00:00Z'],
    ['2026-11-20T15:30', '2026-11-20T15:30:00Z'],
    ['2026-11-20 15:30', '2026-11-20T15:30:00Z'],
    [' 2026-11-20T15:30:10.123456Z ', '2026-11-20T15:30:10.123456Z'],
    ['2026-02-31', null],
    ['2026-11-20T25:00', null],
    ['yesterday', null],
    ['', null],
  ])('%s', (written, want) => {
    expect(asTime(written)).toBe(want);
  });
});

test('what is empty is not sent, and lists are one parameter each', () => {
  const form = { ...blank, application: ' shop ', paths: ['web/**', ' ', '!web/vendor/**'], at: '2026-11-20', coverage: 'partial' as const };
  expect(valid(form)).toBe(true);
  expect(Object.fromEntries(new URLSearchParams(parameters('a/b.sarif', declaration(form))))).toEqual({
    wait: 'true', name: 'a/b.sarif', application: 'shop', paths: 'web/**,!web/vendor/**', at: '2026-11-20T00:00:00Z', coverage: 'partial',
  });
});

test('a time that is none is not sent', () => {
  expect(valid({ ...blank, at: 'soon' })).toBe(false);
});

describe('memory', () => {
  const store = new Map<string, string>();
  const storage = { getItem: (k: string) => store.get(k) ?? null, setItem: (k: string, v: string) => void store.set(k, v) };
  test('keeps what holds again, and forgets commit and time', () => {
    remember(storage, { ...blank, application: 'shop', coverage: 'complete', commit: 'abc', at: '2026-11-20' });
    expect(remembered(storage)).toEqual({ ...blank, application: 'shop', coverage: 'complete' });
  });
  test('believes nothing that it does not know', () => {
    store.set('sinew.import.declared', JSON.stringify({ application: 7, coverage: 'total', target: 'x', more: 1 }));
    expect(remembered(storage)).toEqual({ ...blank, target: 'x' });
    store.set('sinew.import.declared', '{');
    expect(empty(remembered(storage))).toBe(true);
  });
});
