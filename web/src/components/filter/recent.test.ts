import { expect, test } from 'vitest';
import { recentFilters, rememberFilter } from './recent';

function storage(content: string | null = null) {
  let held = content;
  return { getItem: () => held, setItem: (_: string, value: string) => void (held = value) };
}

test('the newest first, each once, eight at most', () => {
  const s = storage();
  for (let i = 0; i < 12; i++) rememberFilter(s, `tool:${i}`);
  rememberFilter(s, ' tool:9 ');
  rememberFilter(s, '  ');
  expect(recentFilters(s)).toEqual(['tool:9', 'tool:11', 'tool:10', 'tool:8', 'tool:7', 'tool:6', 'tool:5', 'tool:4']);
});

test('what is no list of filters is none', () => {
  expect(recentFilters(storage('{"a":1}'))).toEqual([]);
  expect(recentFilters(storage('not json'))).toEqual([]);
  expect(recentFilters(storage('[1,"is:open",""]'))).toEqual(['is:open']);
});

test('a storage that refuses is no error', () => {
  const refusing = { getItem: () => { throw new Error('denied'); }, setItem: () => { throw new Error('denied'); } };
  expect(recentFilters(refusing)).toEqual([]);
  expect(() => rememberFilter(refusing, 'is:open')).not.toThrow();
});
