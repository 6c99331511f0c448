import { expect, test } from 'vitest';
import { everything, extended, isEvery, nothing, toggled, toggledAll } from './selection';

const list = ['a', 'b', 'c', 'd', 'e'];
const ids = (s: { ids: ReadonlySet<string> }) => [...s.ids].sort().join('');

test('a row is selected and taken back', () => {
  const one = toggled(nothing, 'b');
  expect(ids(one)).toBe('b');
  expect(ids(toggled(one, 'b'))).toBe('');
});

test('a range goes both ways from where it began', () => {
  const from = toggled(nothing, 'c');
  expect(ids(extended(from, list, 'e'))).toBe('cde');
  expect(ids(extended(extended(from, list, 'e'), list, 'a'))).toBe('abcde');
});

test('a range whose beginning is no longer in the list begins anew', () => {
  expect(ids(extended(toggled(nothing, 'z'), list, 'b'))).toBe('bz');
  expect(extended(nothing, list, 'b').anchor).toBe('b');
});

test('all that is loaded, then none', () => {
  const every = toggledAll(toggled(nothing, 'a'), list);
  expect(isEvery(every, list)).toBe(true);
  expect(ids(toggledAll(every, list))).toBe('');
  expect(isEvery(nothing, [])).toBe(false);
});

test('what fits the filter is more than what is loaded, until a row is touched', () => {
  const all = everything(toggledAll(nothing, list));
  expect(all.all).toBe(true);
  expect(toggled(all, 'a').all).toBe(false);
});
