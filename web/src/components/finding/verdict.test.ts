import { describe, expect, test } from 'vitest';
import type { FindingDetail, Presence } from '../../api/findings';
import { tellingPlaces, verdictOf } from './verdict';

const at = '2026-11-18T09:00:00Z';
function presence(kind: string, name: string, state: string, basis?: string): Presence {
  const place = { kind, stream: { tool: 't', target: 'repo' }, ...(kind === 'deployed' ? { environment: name } : { ref: name }) };
  return { place, state, basis, first_seen: at, last_seen: at, since: at, snapshot: 's1' };
}
function finding(more: Partial<FindingDetail>): FindingDetail {
  return {
    id: 'f1', unit: 'u1', class: 'code', state: 'open', first_seen: at, last_seen: at, state_since: '2026-11-20T15:30:00Z', tool: 't', title: 'x', severity: 'high',
    target: 'repo', presences: [presence('default', 'main', 'observed')], events: [], ...more,
  };
}

describe('the sentence', () => {
  test.each<[string, Partial<FindingDetail>, string]>([
    [
      'a package, open',
      { class: 'dependency', package: { name: 'idna', version: '2.6' }, ids: ['CVE-2024-3651'] },
      'The package idna 2.6 with CVE-2024-3651 has been on main since Nov 18, 2026, nobody has decided about it, and it counts because the newest scan of main still shows it.',
    ],
    [
      'a secret, fixed by declaration',
      { class: 'secret', file: 'a.py', line: 20, state: 'fixed', presences: [presence('default', 'main', 'fixed', 'declared')] },
      'The credential in a.py, line 20 was on main from Nov 18, 2026 to Nov 20, 2026, is fixed, and it no longer counts because a newer scan looked there, as its uploader declared.',
    ],
    [
      'code on branches and in production, back again, in work',
      {
        file: 'a.go', state: 'in_progress', owner: 'ann', reopened: 2,
        presences: [...['main', 'v1', 'v2', 'v3', 'v4'].map((ref) => presence('release', ref, 'observed')), presence('deployed', 'prod', 'observed')],
      },
      'The weakness in a.go has been on main, v1, v2 and 2 more and in prod since Nov 18, 2026, is being worked on by ann after coming back 2 times, and it counts because the newest scan of main still shows it.',
    ],
    [
      'a resource, accepted for a while',
      { class: 'resource', resource: { name: 'logs' }, rule: 'CKV_1', state: 'accepted', decision: { verdict: 'accepted', by: 'p', until: '2027-01-01T00:00:00Z' } },
      'The resource logs, which breaks CKV_1, has been on main since Nov 18, 2026, its risk is accepted until Jan 1, 2027, and it stays out of the open numbers while that decision stands.',
    ],
    [
      'web, not observed',
      { class: 'web', endpoint: { method: 'GET', url: 'https://x/y', param: 'q' }, state: 'not_observed', presences: [presence('default', '', 'not_observed')] },
      'The weakness at GET https://x/y, parameter q has been on repo since Nov 18, 2026, was not observed again, and it still counts because the newest scan does not prove that it looked there.',
    ],
    [
      'only in a change',
      { presences: [presence('change', 'pr:7', 'observed')] },
      'The weakness has been on pr:7 since Nov 18, 2026, nobody has decided about it, and it counts although it is only where nothing is released from.',
    ],
    ['no place at all', { class: 'other', rule: 'R1', state: 'gone', presences: [] }, 'What the rule R1 names was known from Nov 18, 2026 to Nov 20, 2026, is gone, and it no longer counts because what it was in has ended.'],
  ])('%s', (_, more, want) => {
    expect(verdictOf(finding(more), 'en-US')).toBe(want);
  });
});

test('one place that was only declared makes the proof a declared one', () => {
  const both = [presence('default', 'main', 'fixed', 'proven'), presence('release', 'v1', 'fixed', 'declared')];
  expect(verdictOf(finding({ state: 'fixed', presences: both }))).toContain('declared');
  expect(verdictOf(finding({ state: 'fixed', presences: both.slice(0, 1) }))).toContain('proves');
});

test('places that count go before those that do not, the worst state before the better', () => {
  const all = [presence('change', 'pr:1', 'observed'), presence('default', 'main', 'not_observed'), presence('release', 'v1', 'fixed')];
  expect(tellingPlaces(all, false).map((p) => p.place.ref)).toEqual(['main']);
  expect(tellingPlaces(all, true).map((p) => p.place.ref)).toEqual(['main', 'v1']);
  expect(tellingPlaces(all.slice(0, 1), false)).toHaveLength(1);
  expect(tellingPlaces([], false)).toEqual([]);
});
