import { describe, expect, test } from 'vitest';
import type { Application, Severities } from '../../api/applications';
import { filterOf, opensAtFirst, rows, search, tree, type Node } from './tree';

const app = (name: string, active: number, more: Partial<Application> = {}): Application => ({ id: name, name, active, ...more });
const applications = [
  app('shop', 10, { organisation: 'Harbour', businessunit: 'Retail', services: ['storefront', 'catalog'] }),
  app('bank', 3, { organisation: 'Harbour', businessunit: 'Finance' }),
  app('docs', 1, { organisation: 'Harbour' }),
  app('lab', 2),
  app('till', 5, { organisation: 'Harbour', businessunit: 'Retail' }),
  app('retail-2', 0, { organisation: 'Annex', businessunit: 'Retail' }),
];
const open = new Map<string, Severities>([['shop', { critical: 4, high: 6 }], ['till', { high: 5 }], ['lab', { low: 2 }]]);

const draw = (nodes: Node[]): string[] => rows(nodes, () => true).map(({ node, level }) => `${'  '.repeat(level - 1)}${node.name} ${node.open}`);

describe('tree', () => {
  test('levels by name, numbers summed, what has no organisation last', () => {
    expect(draw(tree(applications, open))).toEqual([
      'Annex 0', '  Retail 0', '    retail-2 0',
      'Harbour 19', '  Finance 3', '    bank 3', '  Retail 15', '    shop 10', '      catalog 0', '      storefront 0', '    till 5', '  docs 1',
      ' 2', '  lab 2',
    ]);
  });
  test('severities are summed upwards', () => {
    const harbour = tree(applications, open)[1]!;
    expect(harbour.severities).toEqual({ critical: 4, high: 11 });
    expect(harbour.applications).toEqual(['shop', 'bank', 'docs', 'till']);
    expect(harbour.children.find((n) => n.name === 'Retail')!.severities).toEqual({ critical: 4, high: 11 });
    expect(open.get('shop'), 'what came in stays as it was').toEqual({ critical: 4, high: 6 });
  });
  test('search keeps what is above and below', () => {
    expect(draw(search(tree(applications, open), 'CATA'))).toEqual(['Harbour 19', '  Retail 15', '    shop 10', '      catalog 0']);
    expect(draw(search(tree(applications, open), 'finance'))).toEqual(['Harbour 19', '  Finance 3', '    bank 3']);
    expect(search(tree(applications, open), 'nowhere')).toEqual([]);
  });
  test('closed nodes hide what is below', () => {
    const seen = rows(tree(applications, open), (n) => n.kind === 'organisation');
    expect(seen.map((r) => [r.node.name, r.expanded])).toEqual([['Annex', true], ['Retail', false], ['Harbour', true], ['Finance', false], ['Retail', false], ['docs', null], ['', true], ['lab', null]]);
  });
  test('business units begin closed where there are many applications', () => {
    const [unit] = tree(applications, open)[0]!.children;
    expect([opensAtFirst(unit!, 5), opensAtFirst(unit!, 1000)]).toEqual([true, false]);
  });
});

describe('the filter of a node', () => {
  const [annex, harbour] = tree(applications, open);
  test('names its applications, and the service', () => {
    expect(filterOf(annex!)).toBe('app:==retail-2 is:open');
    expect(filterOf(harbour!)).toBe('app:==shop,bank,docs,till is:open');
    const shop = harbour!.children.find((n) => n.name === 'Retail')!.children.find((n) => n.name === 'shop')!;
    expect(filterOf(shop.children[0]!)).toBe('app:==shop service:==catalog is:open');
  });
  test('there is none for too many', () => {
    const of = (n: number, name: string) => filterOf({ ...harbour!, applications: Array.from({ length: n }, (_, i) => name + i) });
    expect([of(256, 'a'), of(257, 'a'), of(200, 'a'.repeat(100))].map((f) => f !== null)).toEqual([true, false, false]);
  });
});
