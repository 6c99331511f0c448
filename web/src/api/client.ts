// The one way to the server: typed by its OpenAPI document, with the session's
// CSRF token on every request that changes something.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];

/** A request that was answered with problem details, or not at all. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

let csrf = '';

/** Sets the token that proves that a change comes from our own pages. */
export function setCsrf(token: string) {
  csrf = token;
}

/** Headers of a request that changes something, for those that are not made by [api] (uploads with progress). */
export function csrfHeaders(): Record<string, string> {
  return csrf ? { 'X-Sinew-Csrf': csrf } : {};
}

export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });

api.use({
  onRequest({ request }) {
    if (csrf && request.method !== 'GET' && request.method !== 'HEAD') request.headers.set('X-Sinew-Csrf', csrf);
    return request;
  },
});

/** The body of an answer, or an ApiError. */
export async function answer<T>(pending: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let result;
  try {
    result = await pending;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(unreachable());
  }
  if (result.response.ok) return result.data as T;
  throw new ApiError(asProblem(result.error, result.response));
}

function unreachable(): Problem {
  return { code: 'unavailable', status: 0, title: 'unreachable', detail: 'The server does not answer.' } as Problem;
}

/** Problem details from whatever came back; a proxy on the way may have answered something else. */
export function asProblem(body: unknown, response: Response): Problem {
  if (typeof body === 'object' && body !== null && 'code' in body) return body as Problem;
  const request = response.headers.get('X-Request-Id') ?? '';
  return {
    code: response.status === 401 ? 'unauthenticated' : 'internal',
    status: response.status,
    title: response.statusText,
    detail: `The server answered ${response.status}.`,
    request_id: request,
  } as Problem;
}

export function codeOf(error: unknown): string {
  return error instanceof ApiError ? error.problem.code : 'internal';
}
