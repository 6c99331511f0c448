import { expect, test } from 'vitest';
import type { Issue } from '../../api/issues';
import { advice } from './advice';

test('what mends an issue, in a few words', () => {
  const issue = (more: object) => ({ cause: 'x', ...more }) as Issue;
  expect(advice(issue({ upgrade: { package: 'lodash', to: '4.17.21', closes: 3, of: 4 } }))).toBe('→ 4.17.21 · 3 of 4');
  expect(advice(issue({ upgrade: { package: 'lodash', closes: 0, of: 4 } }))).toMatch(/^No version/);
  expect(advice(issue({ base_image: { image: 'web', names: ['debian 12.4', 'debian 12.5'], fixable: 1, of: 1 } }))).toBe(
    'debian 12.4, debian 12.5 · The distribution has repaired packages for 1 of 1 finding.',
  );
  expect(advice(issue({ base_image: { image: 'web', names: null, fixable: 0, of: 2 } }))).toMatch(/^The distribution has/);
  expect(advice(issue({ title: 'SQL injection' }))).toBe('SQL injection');
  expect(advice(issue({}))).toBe('');
});
