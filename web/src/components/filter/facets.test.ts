import { expect, test } from 'vitest';
import { facetValues } from './facets';

const show = (list: { asked: string; count: number; chosen: boolean }[]) => list.map((v) => `${v.chosen ? '+' : ''}${v.asked} ${v.count}`);

test('severities go from bad to good', () => {
  expect(show(facetValues('severity', { low: 9, critical: 1, high: 3 }, 'severity:>=high'))).toEqual(['+critical 1', '+high 3', 'low 9']);
});

test('the state open is asked for as untriaged, since is:open is more', () => {
  expect(show(facetValues('is', { open: 5, fixed: 2 }, 'is:open'))).toEqual(['untriaged 5', 'fixed 2']);
  expect(show(facetValues('is', { open: 5, fixed: 2 }, 'is:untriaged'))).toEqual(['+untriaged 5', 'fixed 2']);
});

test('names go by number, and what is chosen stays when nothing has it', () => {
  expect(show(facetValues('tool', { a: 1, b: 7, c: 7, d: 0 }, 'tool:z'))).toEqual(['b 7', 'c 7', 'a 1', '+z 0']);
  expect(show(facetValues('app', { '': 4, shop: 2 }, 'app:none'))).toEqual(['+none 4', 'shop 2']);
  expect(show(facetValues('target', undefined, 'target:x* -target:y'))).toEqual([]);
});
