// What several streams tell of the same problem, what people say of that, and what
// each tool contributes.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Cluster = Schemas['Cluster'];
export type Join = Schemas['Join'];
export type Link = Schemas['Link'];
export type LinkInfo = Schemas['LinkInfo'];
export type Scanner = Schemas['Scanner'];
export type DedupStats = Schemas['DedupStats'];

export const scannersQuery = queryOptions({
  queryKey: ['findings', 'scanners'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/scanners', { signal })),
});

export const dedupStatsQuery = queryOptions({
  queryKey: ['findings', 'dedup'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/dedup/stats', { signal })),
});

export const linksQuery = queryOptions({
  queryKey: ['findings', 'links'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/links', { signal })),
});

/** What a link would change, before it is made. */
export const linkPreviewQuery = (link: Link) =>
  queryOptions({
    queryKey: ['findings', 'link-preview', link],
    queryFn: ({ signal }) => answer(api.POST('/api/v1/links/preview', { body: link, signal })),
    staleTime: 0,
    gcTime: 0,
  });

export function useLink() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ link, key }: { link: Link; key: string }) => answer(api.POST('/api/v1/links', { body: link, params: { header: { 'Idempotency-Key': key } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['findings'] }),
  });
}

export function useUndoLink() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.POST('/api/v1/links/{id}/undo', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['findings'] }),
  });
}
