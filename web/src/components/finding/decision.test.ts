import { expect, test } from 'vitest';
import { decisionOf, faultsOf, inDays, type Draft } from './decision';

const now = new Date('2026-11-22T12:00:00Z');
const draft = (more: Partial<Draft>): Draft => ({ verdict: 'triaged', reason: '', until: '', owner: '', ...more });

test.each<[Partial<Draft>, string[]]>([
  [{}, []],
  [{ verdict: 'accepted' }, ['reason']],
  [{ verdict: 'false_positive', reason: '   ' }, ['reason']],
  [{ verdict: 'false_positive', reason: 'test data' }, []],
  [{ until: '2026-11-22' }, ['until']],
  [{ until: '2026-11-23' }, []],
  [{ until: 'soon' }, ['until']],
  [{ verdict: 'reopen', until: '2020-01-01' }, []],
])('%o lacks %o', (more, want) => {
  expect(faultsOf(draft(more), now)).toEqual(want);
});

test('what is sent', () => {
  expect(decisionOf(draft({ reason: ' known ', owner: ' ann ', until: '2027-01-31' }))).toEqual({ verdict: 'triaged', reason: 'known', owner: 'ann', until: '2027-01-31T00:00:00Z' });
  expect(decisionOf(draft({ verdict: 'reopen', owner: 'ann', until: '2027-01-31' }))).toEqual({ verdict: 'reopen' });
  expect(inDays(30, now)).toBe('2026-12-22');
});
