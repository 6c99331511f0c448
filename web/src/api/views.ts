// Saved views of the findings list.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type SavedView = Schemas['SavedView'];
export type ViewBody = Schemas['ViewInputBody'];

export const viewsQuery = queryOptions({
  queryKey: ['views'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/views', { params: { query: { limit: 1000 } }, signal })),
  staleTime: 60_000,
});

/** Saves a view: a new one without an id. */
export function useSaveView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, body }: { id?: string; body: ViewBody }) =>
      answer(id === undefined ? api.POST('/api/v1/views', { body }) : api.PUT('/api/v1/views/{id}', { params: { path: { id } }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: viewsQuery.queryKey }),
  });
}

export function useDeleteView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/v1/views/{id}', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: viewsQuery.queryKey }),
  });
}
