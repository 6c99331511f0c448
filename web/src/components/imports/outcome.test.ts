import { describe, expect, test } from 'vitest';
import type { ImportInfo } from '../../api/imports';
import { outcome, reasons, scanFilter } from './outcome';

const info: ImportInfo = {
  id: 's1', seq: 3, state: 'projected', observations: 12, at: '2026-11-20T15:35:00.000123Z',
  stream: { tool: 'checkov', target: 'git.example.org/a b', ref: 'main' },
};

describe('outcome', () => {
  test('nothing is told before it is known', () => {
    expect(outcome(info)).toEqual([]);
  });
  test('each change finds its findings; what only stayed does not', () => {
    const parts = outcome({ ...info, result: { new: 2, unchanged: 44, changed: 21, reopened: 0, fixed: { proven: 1, declared: 2 }, not_observed: 4 } });
    expect(parts).toEqual([
      { change: 'new', n: 2, filter: 'tool:==checkov target:=="git.example.org/a b" first:2026-11-20T15:35:00.000123Z' },
      { change: 'fixed', n: 3, filter: 'tool:==checkov target:=="git.example.org/a b" is:fixed since:2026-11-20T15:35:00.000123Z' },
      { change: 'not_observed', n: 4, filter: 'tool:==checkov target:=="git.example.org/a b" is:not_observed since:2026-11-20T15:35:00.000123Z' },
      { change: 'changed', n: 21, filter: undefined },
      { change: 'unchanged', n: 44, filter: undefined },
    ]);
  });
  test('without a time there is nothing to find them by', () => {
    expect(outcome({ ...info, at: undefined, result: { new: 2, unchanged: 0 } })).toEqual([{ change: 'new', n: 2, filter: undefined }]);
  });
});

test('the open findings of a scan', () => {
  expect(scanFilter(info)).toBe('tool:==checkov target:=="git.example.org/a b" ref:==main is:open');
  expect(scanFilter({ ...info, stream: { tool: 'trivy', target: 'x', source: 'ci' } })).toBe('tool:==trivy target:==x source:==ci is:open');
});

test('reasons come by their number', () => {
  expect(reasons({ new: 0, unchanged: 0, missing: { b: 1, a: 1, c: 9 } })).toEqual([['c', 9], ['a', 1], ['b', 1]]);
  expect(reasons(undefined)).toEqual([]);
});
