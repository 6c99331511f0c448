// Applications and what is open in them.
import { queryOptions } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Application = Schemas['Application'];

/** Open findings by severity. */
export type Severities = Record<string, number>;

/** Pages of the longest lists that a page of ours shows whole. */
const whole = 1000;
const maxPages = 20;

/** Every item of a list that is short by its nature. */
export async function everything<T>(page: (cursor: string) => Promise<{ items: T[]; next?: string }>): Promise<T[]> {
  const out: T[] = [];
  let cursor = '';
  for (let n = 0; n < maxPages; n++) {
    const { items, next } = await page(cursor);
    out.push(...items);
    if (!next) break;
    cursor = next;
  }
  return out;
}

export const applicationsQuery = queryOptions({
  queryKey: ['applications'],
  queryFn: ({ signal }) => everything((cursor) => answer(api.GET('/api/v1/applications', { params: { query: { limit: whole, ...(cursor && { cursor }) } }, signal }))),
});

/** Open findings by severity for each application; under "" those of none. */
export const openByApplicationQuery = queryOptions({
  queryKey: ['findings', 'open by application'],
  queryFn: async ({ signal }) => {
    const groups = await everything((cursor) =>
      answer(api.GET('/api/v1/findings/groups', { params: { query: { filter: 'is:open', by: 'application', limit: whole, ...(cursor && { cursor }) } }, signal })),
    );
    return new Map<string, Severities>(groups.map((g) => [g.key, g.severities]));
  },
});
