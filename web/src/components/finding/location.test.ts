import { expect, test } from 'vitest';
import { locationOf } from './location';

test.each<[string, Partial<Parameters<typeof locationOf>[0]>, string]>([
  ['code', { file: 'a/b.go', line: 7 }, 'a/b.go:7'],
  ['code', { file: 'a/b.go' }, 'a/b.go'],
  ['code', {}, 'repo'],
  ['secret', { file: '.env', line: 1 }, '.env:1'],
  ['dependency', { package: { name: 'idna', version: '2.6' }, file: 'req.txt' }, 'idna 2.6'],
  ['dependency', { file: 'go.mod' }, 'go.mod'],
  ['resource', { resource: { type: 'aws_s3_bucket', id: 'arn:x' } }, 'arn:x'],
  ['web', { endpoint: { method: 'GET', url: 'https://x/' } }, 'GET https://x/'],
  ['host', { host: '10.0.0.7' }, '10.0.0.7'],
])('%s %o is at %s', (kind, more, want) => {
  expect(locationOf({ class: kind, target: 'repo', ...more })).toBe(want);
});
