// Assets: things that sources tell about.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Asset = Schemas['AssetInfo'];
export type AssetDetail = Schemas['AssetDetail'];
export type AssetFact = Schemas['AssetFact'];
export type AssetRelation = Schemas['AssetRelation'];

export interface AssetFilter {
  kind?: string;
  app?: string; // a name, or none
  text?: string;
}

export function assetsQuery({ kind, app, text }: AssetFilter) {
  return infiniteQueryOptions({
    queryKey: ['assets', { kind, app, text }],
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/api/v1/assets', {
          params: { query: { limit: 50, ...(kind && { filter: kind }), ...(app && { application: app }), ...(text && { text }), ...(pageParam && { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

export function assetQuery(id: string) {
  return queryOptions({
    queryKey: ['asset', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/assets/{id}', { params: { path: { id } }, signal })),
  });
}
