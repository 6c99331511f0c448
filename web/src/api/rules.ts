// The rules: what belongs to which application.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, codeOf, type Schemas } from './client';

export type RulesChange = Schemas['RulesChange'];

export const rulesQuery = queryOptions({
  queryKey: ['rules'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/rules', { signal })),
  staleTime: Infinity, // who edits must not have the text changed under his hands
});

export function usePreviewRules() {
  return useMutation({ mutationFn: (document: string) => answer(api.POST('/api/v1/rules/preview', { body: { document } })) });
}

/** Sets the rules. Where others were set after `base`, the server refuses, and those are read. */
export function useSetRules() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ document, base }: { document: string; base: number }) => answer(api.PUT('/api/v1/rules', { body: { document, base } })),
    // Everything may belong to somebody else now.
    onSuccess: () => client.invalidateQueries(),
    onError: (error) => (codeOf(error) === 'conflict' ? client.invalidateQueries({ queryKey: rulesQuery.queryKey }) : undefined),
  });
}
