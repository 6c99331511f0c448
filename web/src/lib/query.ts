// The one query client: when to ask again, and what to do when the session ends.
import { QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError, setCsrf } from '../api/client';
import { sessionQuery } from '../api/session';

export const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: ended }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server refused it refuses again; what did not arrive may arrive.
      retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.problem.status === 0 || error.problem.status >= 502),
    },
  },
});

/** A session that ended shows the sign-in page; signing in goes on where one was. */
function ended(error: unknown) {
  if (error instanceof ApiError && error.problem.status === 401) {
    setCsrf('');
    client.setQueryData(sessionQuery.queryKey, null);
  }
}
