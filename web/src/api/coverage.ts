// Coverage: which test was last done where, and what is missing.
import { queryOptions } from '@tanstack/react-query';
import { everything } from './applications';
import { answer, api, type Schemas } from './client';

export type CoverageRow = Schemas['CoverageRow'];

/** The tests, in the order in which they are shown. */
export const tests = ['code', 'dependency', 'secret', 'iac', 'container', 'web', 'infrastructure'] as const;
export type Test = (typeof tests)[number];

/** What may be missing, the most urgent first. */
export const gaps = ['failed', 'never', 'overdue', 'none', 'not_required'] as const;
export type Gap = (typeof gaps)[number];

export const coverageQuery = queryOptions({
  queryKey: ['coverage'],
  queryFn: ({ signal }) => everything((cursor) => answer(api.GET('/api/v1/coverage', { params: { query: { limit: 1000, ...(cursor && { cursor }) } }, signal }))),
});
