// Sign-in providers, for administrators.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Provider = Schemas['Provider'];
export type ProviderBody = Schemas['ProviderBody'];

export const providerListQuery = queryOptions({
  queryKey: ['providers'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/providers', { signal })),
});

export function useSaveProvider() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, body, isNew }: { id: string; body: ProviderBody; isNew: boolean }) =>
      isNew ? answer(api.POST('/api/v1/providers', { body: { ...body, id } })) : answer(api.PUT('/api/v1/providers/{id}', { params: { path: { id } }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['providers'] }),
  });
}

export function useRemoveProvider() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/v1/providers/{id}', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['providers'] }),
  });
}

export function useTestProvider() {
  return useMutation({ mutationFn: (id: string) => answer(api.POST('/api/v1/providers/{id}/test', { params: { path: { id } } })) });
}
