// Where each stream stands.
import type { CoverageRow } from '../../api/coverage';
import type { Stream } from '../../api/streams';

export type Standing = 'failed' | 'stale' | 'current' | 'ended';
export const standings: Standing[] = ['failed', 'stale', 'current', 'ended'];

export interface StreamRow {
  stream: Stream;
  standing: Standing;
  every: number; // days within which it is asked for again; 0 for never
}

/**
 * The streams with their standing, the most urgent first. A stream is stale when
 * the rules ask for its test on its application more often than it ran.
 */
export function streamRows(streams: Stream[], coverage: CoverageRow[], now: Date): StreamRow[] {
  const asked = new Map(coverage.filter((row) => row.required && row.every > 0).map((row) => [`${row.application}\0${row.test}`, row.every]));
  return streams
    .map((stream): StreamRow => {
      const every = Math.min(...(stream.tests ?? []).map((test) => asked.get(`${stream.application ?? ''}\0${test}`) ?? Infinity));
      const age = stream.last_seen ? (now.getTime() - new Date(stream.last_seen).getTime()) / day : Infinity;
      const standing: Standing = stream.ended ? 'ended' : stream.coverage === 'failed' ? 'failed' : age > every ? 'stale' : 'current';
      return { stream, standing, every: every === Infinity ? 0 : every };
    })
    .sort((a, b) => standings.indexOf(a.standing) - standings.indexOf(b.standing) || (b.stream.last_seen ?? '').localeCompare(a.stream.last_seen ?? ''));
}

const day = 24 * 3600 * 1000;

/** The streams that fit: words anywhere in tool, target, ref, label or application. */
export function streamsFitting(rows: StreamRow[], filter: { app?: string; standing?: string; q?: string }): StreamRow[] {
  const words = (filter.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(({ stream, standing }) => {
    const said = [stream.tool, stream.target, stream.ref, stream.label, stream.source, stream.application].join(' ').toLowerCase();
    return (filter.app === undefined || (stream.application ?? '') === filter.app) && (filter.standing === undefined || standing === filter.standing) && words.every((word) => said.includes(word));
  });
}
