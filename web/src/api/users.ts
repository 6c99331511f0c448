// Users, their roles, and one-time links.
import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api, type Schemas } from './client';

export type User = Schemas['User'];

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: async ({ signal }) => {
    const users: User[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await answer(api.GET('/api/v1/users', { params: { query: { limit: 1000, cursor } }, signal }));
      users.push(...page.items);
      cursor = page.next;
      if (!cursor) return users;
    }
  },
});

type Role = '' | 'viewer' | 'developer' | 'admin';

/** Everything that an administrator does with one user. */
export function useUserActions() {
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: ['users'] });
  return {
    grant: useMutation({
      mutationFn: ({ id, role, application = '' }: { id: string; role: Role; application?: string }) =>
        answer(api.PUT('/api/v1/users/{id}/role', { params: { path: { id } }, body: { role, application } })),
      onSuccess,
    }),
    disable: useMutation({ mutationFn: (id: string) => answer(api.POST('/api/v1/users/{id}/disable', { params: { path: { id } } })), onSuccess }),
    enable: useMutation({ mutationFn: (id: string) => answer(api.POST('/api/v1/users/{id}/enable', { params: { path: { id } } })), onSuccess }),
    erase: useMutation({ mutationFn: (id: string) => answer(api.DELETE('/api/v1/users/{id}', { params: { path: { id } } })), onSuccess }),
  };
}

export function useInvite() {
  return useMutation({ mutationFn: (role: 'viewer' | 'developer' | 'admin') => answer(api.POST('/api/v1/invites', { body: { role } })) });
}

export function useChangePassword() {
  return useMutation({ mutationFn: (body: { old: string; new: string }) => answer(api.PUT('/api/v1/me/password', { body })) });
}
