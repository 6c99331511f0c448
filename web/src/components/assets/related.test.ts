import { describe, expect, test } from 'vitest';
import type { AssetRelation } from '../../api/assets';
import { findingsOn, grouped } from './related';

describe('findings on an asset', () => {
  test.each([
    ['package', 'pkg:npm/%40types/node@1', 'purl:==pkg:npm/%40types/node@1 is:open'],
    ['repo', 'git.example.org/a b', 'target:=="git.example.org/a b" is:open'],
    ['vulnerability', 'CVE-2024-3094', 'id:==CVE-2024-3094 is:open'],
    ['person', 'p1', null],
  ])('%s %s', (kind, key, want) => {
    expect(findingsOn({ kind, key })).toBe(want);
  });
});

test('relations by kind and direction, each other end once, unseen ones last', () => {
  const relation = (kind: string, out: boolean, key: string | null, stream = 't1'): AssetRelation =>
    ({ kind, out, stream, ...(key && { other: { kind: 'package', key }, other_id: `a${key}` }) });
  const groups = grouped([relation('runs', false, 'x'), relation('depends_on', false, 'z'), relation('depends_on', true, null), relation('depends_on', true, 'b'), relation('depends_on', true, 'a'), relation('depends_on', true, 'b', 't2'), relation('depends_on', true, null)]);
  expect(groups.map((g) => [g.kind, g.out, g.others.map((o) => o.other?.key)])).toEqual([
    ['depends_on', true, ['a', 'b', undefined, undefined]],
    ['depends_on', false, ['z']],
    ['runs', false, ['x']],
  ]);
});
