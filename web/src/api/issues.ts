// Issues: root causes as units of work.
import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type Issue = Schemas['Issue'];
export type IssueDetail = Schemas['IssueDetail'];
export type IssueEvent = Schemas['IssueEvent'];
export type IssueChange = Schemas['ChangeIssueInputBody'];

export const issueKinds = ['base_image', 'upgrade', 'secret', 'module', 'template', 'configuration', 'code', 'endpoint', 'host', 'other'] as const;
export const issueStates = ['open', 'in_progress', 'done', 'accepted', 'gone'] as const;
export const issueSorts = ['-findings', '-presences', '-severity'] as const;

export interface IssueFilter {
  app?: string; // a name, or none
  kind?: string;
  state?: string; // one of issueStates, or all; what there is to do if absent
  owner?: string; // a name, or none
  text?: string;
  sort?: string;
}

export function issuesQuery({ app, kind, state, owner, text, sort }: IssueFilter) {
  return infiniteQueryOptions({
    queryKey: ['issues', 'list', { app, kind, state, owner, text, sort }],
    queryFn: ({ pageParam, signal }) => {
      const states = state === 'all' ? [...issueStates] : issueStates.filter((s) => s === state);
      return answer(
        api.GET('/api/v1/issues', {
          params: {
            query: {
              limit: 50,
              ...(app && { application: app }),
              ...(issueKinds.some((k) => k === kind) && { kind: [kind!] }),
              ...(states.length > 0 && { state: states }),
              ...(owner && { owner }),
              ...(text && { text }),
              sort: issueSorts.find((s) => s === sort) ?? issueSorts[0],
              ...(pageParam && { cursor: pageParam }),
            },
            },
          querySerializer: { array: { style: 'form', explode: false } },
          signal,
        }),
      );
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

export function issueQuery(id: string) {
  return queryOptions({
    queryKey: ['issues', 'one', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/issues/{id}', { params: { path: { id } }, signal })),
  });
}

export function useChangeIssue(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ change, key }: { change: IssueChange; key: string }) =>
      answer(api.PATCH('/api/v1/issues/{id}', { params: { path: { id }, header: { 'Idempotency-Key': key } }, body: change })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['issues'] }),
  });
}
