import { expect, test } from 'vitest';
import type { SavedView } from '../../api/views';
import { asksNothing, bodyOf, isChanged, searchOf } from './views';

const view = (more: Partial<SavedView>): SavedView => ({ id: 'w1', name: 'Mine', scope: 'private', owner: 'p', mine: true, filter: '', columns: [], updated: '2026-11-22T00:00:00Z', ...more });

test('a view and its address are the same thing', () => {
  const saved = view({ tab: 'all', filter: 'tool:x', sort: '-since', group: 'rule', columns: ['title', 'owner'] });
  expect(searchOf(saved)).toEqual({ view: 'w1', tab: 'all', filter: 'tool:x', sort: '-since', group: 'rule', columns: 'title,owner' });
  expect(bodyOf(searchOf(saved), ' Mine ', 'private', '')).toEqual({ name: 'Mine', scope: 'private', filter: 'tool:x', tab: 'all', sort: '-since', group: 'rule', columns: ['title', 'owner'] });
  expect(searchOf(view({ tab: 'priority' }))).toEqual({ view: 'w1' });
});

test('only a view of an application names one', () => {
  expect(bodyOf({}, 'x', 'unit', 'shop')).toMatchObject({ scope: 'unit', application: 'shop', tab: 'priority' });
  expect(bodyOf({}, 'x', 'everyone', 'shop')).not.toHaveProperty('application');
});

test('opening a finding changes no view, another filter does', () => {
  const saved = view({ filter: 'tool:x' });
  expect(isChanged(saved, { ...searchOf(saved), open: 'f1' })).toBe(false);
  expect(isChanged(saved, { ...searchOf(saved), filter: 'tool:y' })).toBe(true);
  expect(isChanged(saved, { view: 'w1' })).toBe(true);
});

test('an address that asks for nothing', () => {
  expect(asksNothing({})).toBe(true);
  expect(asksNothing({ open: 'f1' })).toBe(false);
});
