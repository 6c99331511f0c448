// The log: search, one entry, and verification with progress.
import { infiniteQueryOptions, queryOptions, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api, ApiError, asProblem, csrfHeaders, type Schemas } from './client';
import { lines } from '../lib/lines';

export type LogEntry = Schemas['LogEntry'];
export type Verification = Schemas['Verification'];

export interface LogSearch {
  kind?: string;
  actor?: string;
  from?: string;
  to?: string;
  q?: string;
  order?: string;
}

export function logQuery(search: LogSearch) {
  const { kind, actor, from, to, q } = search;
  const order: 'oldest' | 'newest' = search.order === 'oldest' ? 'oldest' : 'newest';
  return infiniteQueryOptions({
    queryKey: ['log', { kind, actor, from, to, q, order }],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET('/api/v1/log', { params: { query: { limit: 50, order, kind: kind ? [kind] : undefined, actor, q, from, to, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
}

export function entryQuery(seq: number) {
  return queryOptions({
    queryKey: ['log', 'entry', seq],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/log/{seq}', { params: { path: { seq } }, signal })),
    staleTime: Infinity, // an entry never changes
  });
}

/** Verifies the whole log; progress is told on the way. */
export function useVerify() {
  const [progress, setProgress] = useState<Schemas['Progress'] | null>(null);
  const verify = useMutation({
    mutationFn: async (): Promise<Verification> => {
      setProgress(null);
      const response = await fetch('/api/v1/log/verify', { method: 'POST', headers: { Accept: 'application/x-ndjson', ...csrfHeaders() } });
      if (!response.ok || !response.body) throw new ApiError(asProblem(await response.json().catch(() => null), response));
      for await (const line of lines(response.body)) {
        const said = JSON.parse(line) as Schemas['VerifyLine'] & { error?: Schemas['Problem'] };
        if (said.error) throw new ApiError(said.error);
        if (said.progress) setProgress(said.progress);
        if (said.report) return said.report;
      }
      throw new ApiError(asProblem(null, response));
    },
  });
  return { ...verify, progress };
}
