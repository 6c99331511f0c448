// Reports: what they are, sending them, and what became of them.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { EventReader } from '../lib/events';
import { answer, api, ApiError, asProblem, csrfHeaders, type Problem, type Schemas } from './client';

export type ImportInfo = Schemas['ImportInfo'];
export type Result = Schemas['Result'];
export type Coverage = Schemas['Coverage'];
export type Format = Schemas['FormatInfo'];
export type Stage = Schemas['Progress'];

/** What the server makes of the first bytes of a file. */
export type Detected = Schemas['Detected'];

/** How much of a file the server has to see to recognise it. */
const detectBytes = 256 << 10;

export async function detect(file: File, signal?: AbortSignal): Promise<Detected> {
  const body = await file.slice(0, detectBytes).arrayBuffer();
  let response: Response;
  try {
    response = await fetch(`/api/v1/formats/detect?name=${encodeURIComponent(file.name)}`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/octet-stream', ...csrfHeaders() },
      body,
      signal,
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(lost());
  }
  const said: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(asProblem(said, response));
  return said as Detected;
}

export const formatsQuery = queryOptions({
  queryKey: ['formats'],
  queryFn: async ({ signal }) => (await answer(api.GET('/api/v1/formats', { signal }))).items,
  staleTime: Infinity, // of the binary that runs
});

/** What the sender declares of a report; what is absent the report or the rules decide. */
export interface Declared {
  format?: string;
  application?: string;
  service?: string;
  target?: string;
  ref?: string;
  base?: string;
  commit?: string;
  digest?: string;
  environment?: string;
  label?: string;
  source?: string;
  at?: string;
  mode?: string;
  coverage?: string;
  rules?: string[];
  paths?: string[];
  hosts?: string[];
  path_prefix?: string;
  strip_prefix?: string;
}

export interface Watcher {
  /** Bytes of the file that have left. */
  sent(bytes: number): void;
  /** What the server does with it. */
  stage(stage: Stage): void;
  /** It is durable: from here on nothing can lose it. */
  accepted(info: ImportInfo): void;
  /** Its findings are to be seen. */
  done(info: ImportInfo): void;
  failed(problem: Problem): void;
}

/**
 * Sends a report and tells how far it is until its findings are to be seen. The
 * function that it gives takes back what is not yet accepted.
 */
export function upload(file: File, name: string, declared: Declared, key: string, tell: Watcher): () => void {
  const request = new XMLHttpRequest(); // fetch does not tell how much has left
  const events = new EventReader();
  let ended = false;
  let accepted: ImportInfo | null = null;
  let follower: AbortController | null = null;
  const fail = (problem: Problem) => {
    if (ended) return;
    ended = true;
    tell.failed(problem);
  };
  const read = () => {
    for (const { name, data } of events.push(request.responseText)) {
      const value: unknown = JSON.parse(data);
      if (name === 'progress') tell.stage(value as Stage);
      else if (name === 'accepted') tell.accepted((accepted = value as ImportInfo));
      else if (name === 'problem') fail(value as Problem);
      else if (name === 'result' && !ended) {
        ended = true;
        tell.done(value as ImportInfo);
      }
    }
  };
  const over = () => {
    if (ended) return;
    if (accepted) {
      // The connection broke after the report was safe: ask what becomes of it.
      follower = new AbortController();
      follow(accepted, tell, follower.signal).catch((error: unknown) => fail(error instanceof ApiError ? error.problem : lost()));
      ended = true;
      return;
    }
    let said: unknown = null;
    try {
      said = JSON.parse(request.responseText);
    } catch {
      // A proxy on the way answered with something else.
    }
    fail(request.status === 0 ? lost() : asProblem(said, new Response(null, { status: request.status, statusText: request.statusText, headers: { 'X-Request-Id': request.getResponseHeader('X-Request-Id') ?? '' } })));
  };
  request.open('POST', `/api/v1/imports?${parameters(name, declared)}`);
  request.setRequestHeader('Accept', 'text/event-stream');
  request.setRequestHeader('Content-Type', 'application/octet-stream');
  request.setRequestHeader('Idempotency-Key', key);
  for (const [name, value] of Object.entries(csrfHeaders())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => tell.sent(Math.min(event.loaded, file.size));
  request.upload.onload = () => tell.sent(file.size);
  request.onprogress = () => {
    if (request.status === 200) read();
  };
  request.onload = () => {
    if (request.status === 200) read();
    over();
  };
  request.onerror = over;
  request.send(file);
  return () => {
    ended = true;
    follower?.abort();
    request.abort();
  };
}

/** Waits for the end of a report that was accepted. */
async function follow(info: ImportInfo, tell: Watcher, signal: AbortSignal) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    if (signal.aborted) return;
    const now = await answer(api.GET('/api/v1/imports/{id}', { params: { path: { id: info.id } }, signal }));
    if (now.state === 'projected') {
      tell.done(now);
      return;
    }
  }
}

/** The query of POST /imports. Lists are repeated parameters. */
export function parameters(name: string, declared: Declared): string {
  const out = new URLSearchParams({ wait: 'true', name });
  for (const [field, value] of Object.entries(declared)) {
    if (Array.isArray(value)) {
      const list = value.map((v: string) => v.trim()).filter((v) => v !== '');
      if (list.length > 0) out.set(field, list.join(','));
    } else if (typeof value === 'string' && value.trim() !== '') out.set(field, value.trim());
  }
  return out.toString();
}

function lost(): Problem {
  return { code: 'unavailable', status: 0, title: '', detail: 'The connection to the server broke before it had taken the report.', next: 'Try again; a report that had arrived after all is not counted twice.', request_id: '' };
}

/** Imports, newest first. */
export function snapshotsQuery(filter: { stream?: string; target?: string } = {}, limit = 20) {
  return infiniteQueryOptions({
    queryKey: ['imports', filter, limit],
    queryFn: ({ pageParam, signal }) => answer(api.GET('/api/v1/snapshots', { params: { query: { ...filter, limit, ...(pageParam && { cursor: pageParam }) } }, signal })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}

/** One import; asked for again until its findings are to be seen. */
export function snapshotQuery(id: string) {
  return queryOptions({
    queryKey: ['import', id],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/imports/{id}', { params: { path: { id } }, signal })),
    refetchInterval: (query) => (query.state.data?.state === 'accepted' ? 2000 : false),
  });
}

/** Where the redacted report is, to be downloaded. */
export function reportAddress(id: string): string {
  return `/api/v1/snapshots/${encodeURIComponent(id)}/evidence`;
}
