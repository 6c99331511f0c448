// What people decide about findings, and taking it back.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Decision = Schemas['Decision'];
export type DecisionPreview = Schemas['DecisionPreview'];
export type Verdict = Decision['verdict'];

/** What a decision is about: named findings, or all that fulfil a filter. */
export type About = { findings: string[] } | { filter: string };

/** How many findings are in which state now. What is decided does not matter for that. */
export const previewQuery = (about: About) =>
  queryOptions({
    queryKey: ['findings', 'preview', about],
    queryFn: ({ signal }) => answer(api.POST('/api/v1/decisions/preview', { body: { ...about, verdict: 'triaged' }, signal })),
    staleTime: 0,
    gcTime: 0,
  });

export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ decision, key }: { decision: Decision; key: string }) =>
      answer(api.POST('/api/v1/decisions', { body: decision, params: { header: { 'Idempotency-Key': key } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['findings'] }),
  });
}

export function useUndo() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.POST('/api/v1/decisions/{id}/undo', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['findings'] }),
  });
}

/** A new idempotency key: the same request sent twice is accepted once. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
