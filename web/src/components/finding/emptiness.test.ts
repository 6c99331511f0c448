import { expect, test } from 'vitest';
import { emptinessOf, type Known } from './emptiness';

const row = (gap: string, streams: number, application = 'shop', test = 'code') => ({ gap, streams, application, test }) as Known['coverage'][number];
const known = (more: Partial<Known>): Known => ({ mayRead: true, filter: '', priority: false, others: 0, coverage: [], ...more });

test.each<[string, Partial<Known>, unknown]>([
  ['no role at all', { mayRead: false, filter: 'is:open' }, { kind: 'denied' }],
  ['no report ever', { coverage: [row('never', 0)] }, { kind: 'unscanned' }],
  ['no report ever, and a filter', { filter: 'tool:x' }, { kind: 'unscanned' }],
  ['a filter that fits nothing', { filter: 'tool:x', others: 9, coverage: [row('failed', 1)] }, { kind: 'narrow', others: 9 }],
  ['a scan that failed', { coverage: [row('none', 2), row('failed', 1), row('overdue', 1, 'web', 'container')] }, { kind: 'broken', places: ['shop code', 'web container'] }],
  ['a test that nobody set up is no failure', { coverage: [row('none', 2), row('overdue', 0)] }, { kind: 'covered', streams: 2 }],
  ['nothing urgent', { priority: true, others: 9, coverage: [row('none', 1)] }, { kind: 'calm', others: 9 }],
  ['found nothing, and looked', { coverage: [row('none', 2)] }, { kind: 'covered', streams: 2 }],
])('%s', (_, more, want) => {
  expect(emptinessOf(known(more))).toEqual(want);
});
