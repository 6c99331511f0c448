// Who is signed in.
import { queryOptions, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { answer, api, ApiError, setCsrf, type Schemas } from './client';

export type Session = Schemas['SessionInfo'];

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const session = await answer(api.GET('/api/v1/session', { signal }));
      setCsrf(session.csrf);
      return session;
    } catch (error) {
      if (error instanceof ApiError && error.problem.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

/** The session of somebody who is signed in; pages behind the shell always have one. */
export function useSession(): Session | null {
  return useQuery(sessionQuery).data ?? null;
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { login: string; password: string }) => answer(api.POST('/api/v1/session', { body })),
    onSuccess: (session) => {
      setCsrf(session.csrf);
      forget(client);
      client.setQueryData(sessionQuery.queryKey, session);
    },
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => answer(api.DELETE('/api/v1/session')),
    onSettled: () => {
      setCsrf('');
      client.setQueryData(sessionQuery.queryKey, null);
      forget(client);
    },
  });
}

/** Drops what somebody else saw. The session itself stays in its place: whoever shows it watches that very entry. */
function forget(client: QueryClient) {
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
}

export const providersQuery = queryOptions({
  queryKey: ['session', 'providers'],
  queryFn: ({ signal }) => answer(api.GET('/api/v1/session/providers', { signal })),
});

const ranks = { viewer: 1, developer: 2, admin: 3 } as const;
export type Role = keyof typeof ranks;

/** Whether the session has at least the role on every unit. */
export function isEverywhere(session: Session | null, role: Role): boolean {
  return rank(session?.role) >= ranks[role];
}

/** Whether the session has at least the role on some unit. */
export function isSomewhere(session: Session | null, role: Role): boolean {
  return isEverywhere(session, role) || Object.values(session?.grants ?? {}).some((granted) => rank(granted) >= ranks[role]);
}

function rank(role: string | undefined): number {
  return ranks[role as Role] ?? 0;
}
