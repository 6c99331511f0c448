import { describe, expect, test } from 'vitest';
import type { CoverageRow } from '../../api/coverage';
import type { Stream } from '../../api/streams';
import { columns, countGaps, gapsByApplication, matrix, narrowed } from './matrix';
import { streamRows, streamsFitting } from './streams';

const cell = (application: string, test: CoverageRow['test'], gap: CoverageRow['gap'], more: Partial<CoverageRow> = {}): CoverageRow => ({
  application, test, gap, required: gap !== 'not_required', every: 7, tools: [], streams: 0, stream_ids: [], ...more,
});
const rows = [
  cell('shop', 'code', 'none', { streams: 2, organisation: 'Harbour', businessunit: 'Retail' }),
  cell('shop', 'secret', 'overdue', { streams: 1 }),
  cell('', 'code', 'failed'),
  cell('bank', 'code', 'never'),
  cell('bank', 'secret', 'never'),
  cell('bank', 'web', 'not_required'),
];

describe('matrix', () => {
  test('one row an application, by name, what belongs to none last', () => {
    expect(matrix(rows).map((r) => [r.application, r.place, r.worst, r.gaps])).toEqual([
      ['bank', '', 'never', 2],
      ['shop', 'Harbour / Retail', 'overdue', 1],
      ['', '', 'failed', 1],
    ]);
  });
  test.each([
    [{}, ['bank', 'shop', '']],
    [{ app: 'shop' }, ['shop']],
    [{ app: '' }, ['']],
    [{ gap: 'never' }, ['bank']],
    [{ gap: 'any' }, ['bank', 'shop', '']],
    [{ gap: 'none', app: 'bank' }, []],
  ])('narrowed by %j', (filter, want) => {
    expect(narrowed(matrix(rows), filter).map((r) => r.application)).toEqual(want);
  });
  test('tests that nobody needs and nobody does are left out', () => {
    expect(columns(rows)).toEqual(['code', 'secret']);
  });
  test('numbers', () => {
    expect(countGaps(rows)).toEqual({ failed: 1, never: 2, overdue: 1, none: 1, not_required: 1 });
    expect(gapsByApplication(rows)).toEqual(new Map([['bank', 2], ['shop', 1], ['', 1]]));
  });
});

describe('streams', () => {
  const now = new Date('2026-11-22T12:00:00Z');
  const stream = (id: string, more: Partial<Stream>): Stream => ({ id, tool: 'semgrep', target: 'git/shop', place: 'default', observations: 1, application: 'shop', tests: ['code'], last_seen: '2026-11-20T00:00:00Z', ...more });
  const all = streamRows(
    [
      stream('fresh', {}),
      stream('old', { last_seen: '2026-11-01T00:00:00Z', ref: 'main' }),
      stream('broken', { coverage: 'failed' }),
      stream('merged', { ended: 'merged', last_seen: '2026-10-01T00:00:00Z' }),
      stream('unasked', { tests: ['web'], last_seen: '2020-01-01T00:00:00Z' }),
      stream('both', { tests: ['code', 'secret'], last_seen: '2026-11-14T12:00:01Z', tool: 'trivy' }),
    ],
    [...rows, cell('shop', 'web', 'none', { every: 0 })],
    now,
  );
  test('the most urgent first; the most demanding test decides', () => {
    expect(all.map((r) => `${r.stream.id} ${r.standing} ${r.every}`)).toEqual(['broken failed 7', 'both stale 7', 'old stale 7', 'fresh current 7', 'unasked current 0', 'merged ended 7']);
  });
  test.each([
    [{ q: 'MAIN sem' }, ['old']],
    [{ standing: 'stale' }, ['both', 'old']],
    [{ app: 'bank' }, []],
  ])('fitting %j', (filter, want) => {
    expect(streamsFitting(all, filter).map((r) => r.stream.id)).toEqual(want);
  });
});
