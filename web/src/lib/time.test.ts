import { describe, expect, test } from 'vitest';
import { bytes, relative } from './time';

describe('relative', () => {
  const now = new Date('2026-11-22T12:00:00Z');
  test.each([
    ['2026-11-22T11:59:30Z', 'just now'],
    ['2026-11-22T11:58:00Z', '2 minutes ago'],
    ['2026-11-21T11:00:00Z', 'yesterday'],
    ['2026-11-24T13:00:00Z', 'in 2 days'],
    ['2025-01-01T00:00:00Z', 'last year'],
  ])('%s is %s', (at, want) => {
    expect(relative(new Date(at), now, 'just now', 'en')).toBe(want);
  });
});

test('bytes are told in units of a thousand', () => {
  expect(bytes(999, 'en')).toBe('999 byte');
  expect(bytes(1_250_000, 'en')).toBe('1.3 MB');
});
