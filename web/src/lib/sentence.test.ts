import { expect, test } from 'vitest';
import { sentence } from './sentence';

test.each([
  ['the report is cut off', 'The report is cut off'],
  ['a field', 'A field'],
  ['sinew format list shows what is read', 'sinew format list shows what is read'],
  ['main-1.json is empty', 'main-1.json is empty'],
  ['"x" is no role', '"x" is no role'],
  ['Already one', 'Already one'],
  ['', ''],
])('%s', (message, want) => {
  expect(sentence(message)).toBe(want);
});
