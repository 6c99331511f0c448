import { expect, test } from 'vitest';
import { summary } from './logsummary';

test.each([
  ['snapshot', { stream: { tool: 'trivy', target: 'shop', ref: 'main' }, report: 'a.json' }, 'trivy · shop · main · a.json'],
  ['decision', { verdict: 'accepted', findings: ['f_1', 'f_2'], reason: 'test data' }, 'accepted · 2 · test data'],
  ['decision', { verdict: 'triaged', findings: ['f_1'] }, 'triaged · f_1'],
  ['issue', { cause: 'upgrade lodash (npm)', state: 'in_progress', ticket: { key: 'SHOP-1', url: 'https://x' } }, 'upgrade lodash (npm) · in_progress · SHOP-1'],
  ['access', { op: 'grant', role: 'viewer' }, 'grant · viewer'],
  ['something new', { stream: 7 }, ''],
  ['snapshot', null, ''],
])('%s %j', (kind, payload, want) => {
  expect(summary(kind, payload)).toBe(want);
});
