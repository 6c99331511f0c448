// Findings: lists, numbers, groups, one in full, and what was read.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Finding = Schemas['Finding'];
export type FindingDetail = Schemas['FindingDetail'];
export type Presence = Schemas['Presence'];
export type FindingEvent = Schemas['Event'];
export type Observation = Schemas['Observation'];
export type Counts = Schemas['Counts'];
export type FindingGroup = Schemas['FindingGroup'];

function listFindings(query: { filter: string; sort: string | undefined; limit: number; cursor?: string }, signal: AbortSignal) {
  // The same route can answer with lines; we ask for JSON.
  return answer(api.GET('/api/v1/findings', { params: { query }, signal })) as Promise<Schemas['ListFinding']>;
}

/** How many rows a page of the list has. */
export const pageSize = 100;

export const findingsQuery = (filter: string, sort: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['findings', 'list', filter, sort ?? ''],
    queryFn: ({ pageParam, signal }) => listFindings({ filter, sort, limit: pageSize, cursor: pageParam || undefined }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const countsQuery = (filter: string) =>
  queryOptions({
    queryKey: ['findings', 'counts', filter],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/findings/counts', { params: { query: { filter } }, signal })),
  });

export const groupings = ['rule', 'root_cause', 'component', 'application', 'file'] as const;
export type Grouping = (typeof groupings)[number];

export const groupsQuery = (filter: string, by: Grouping) =>
  infiniteQueryOptions({
    queryKey: ['findings', 'groups', filter, by],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET('/api/v1/findings/groups', { params: { query: { filter, by, limit: 50, cursor: pageParam || undefined } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

/** The first findings of a group, as they are shown when it is opened. */
export const groupFindingsQuery = (filter: string, sort: string | undefined) =>
  queryOptions({
    queryKey: ['findings', 'group', filter, sort ?? ''],
    queryFn: ({ signal }) => listFindings({ filter, sort, limit: 20 }, signal),
  });

export const findingQuery = (id: string) =>
  queryOptions({
    queryKey: ['findings', 'one', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/findings/{id}', { params: { path: { id } }, signal })),
  });

export const evidenceQuery = (id: string) =>
  queryOptions({
    queryKey: ['findings', 'evidence', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/findings/{id}/evidence', { params: { path: { id } }, signal })),
    staleTime: Infinity, // evidence never changes
  });

export const exportFormats = ['csv', 'json', 'sarif'] as const;

/** The address of an export of exactly these findings. */
export function exportAddress(filter: string, sort: string | undefined, format: (typeof exportFormats)[number]): string {
  const query = new URLSearchParams({ filter, format });
  if (sort) query.set('sort', sort);
  return `/api/v1/findings/export?${query}`;
}

/** The address of the whole redacted report of a snapshot. */
export function reportAddress(snapshot: string): string {
  return `/api/v1/snapshots/${encodeURIComponent(snapshot)}/evidence`;
}
