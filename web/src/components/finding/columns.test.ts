import { expect, test } from 'vitest';
import { columnNames, columns, columnsOf, nextSort, sortedBy, usual } from './columns';

const ids = (names: string | undefined) => columnsOf(names).map((c) => c.id);
const column = (id: string) => columns.find((c) => c.id === id)!;

test('columns of the address, in their order, always with the title', () => {
  expect(ids(undefined)).toEqual(usual);
  expect(ids('tool,severity')).toEqual(['severity', 'title', 'tool']);
  expect(ids('nonsense')).toEqual(usual);
});

test('the usual columns are not in the address', () => {
  expect(columnNames(usual)).toBeUndefined();
  expect(columnNames(['owner'])).toBe('title,owner');
  expect(ids(columnNames(['owner', 'tool']))).toEqual(['title', 'tool', 'owner']);
});

test('clicks on a heading go through both ways and back', () => {
  const steps = (id: string) => {
    const out: (string | undefined)[] = [];
    for (let sort: string | undefined, i = 0; i < 3; i++) out.push((sort = nextSort(column(id), sort)));
    return out;
  };
  expect(steps('first_seen')).toEqual(['-first_seen', 'first_seen', undefined]);
  expect(steps('title')).toEqual(['title', '-title', undefined]);
  expect(steps('severity')).toEqual(['severity', undefined, 'severity']);
  expect(nextSort(column('tool'), '-since')).toBe('-since');
});

test('what a heading says of its order', () => {
  expect(sortedBy(column('severity'), undefined)).toBe('descending');
  expect(sortedBy(column('title'), 'title')).toBe('ascending');
  expect(sortedBy(column('title'), undefined)).toBe('none');
  expect(sortedBy(column('tool'), undefined)).toBeUndefined();
});
