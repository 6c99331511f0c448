// The sentence that a finding begins with: what, where, since when, in which
// state, and why it counts. Composed from the data alone.
import type { FindingDetail, Presence } from '../../api/findings';
import { text } from '../../text';

/** The verdict on a finding in one sentence. */
export function verdictOf(f: FindingDetail, language?: string): string {
  const words = text.findings.verdict;
  const closed = f.state === 'fixed' || f.state === 'gone';
  const telling = tellingPlaces(f.presences, closed);
  const when = closed ? words.between(day(f.first_seen, language), day(f.state_since, language)) : words.since(day(f.first_seen, language));
  return words.sentence(what(f), where(telling, closed), when, state(f, language), why(f, telling));
}

/** The most telling places: of an open finding those where it is, of a closed one those where it was. */
export function tellingPlaces(all: Presence[], closed: boolean): Presence[] {
  const weight: Record<string, number> = { observed: 0, scope_lost: 1, not_observed: 2, fixed: 3, gone: 4 };
  const counting = all.filter((p) => counts(p) && p.state !== 'gone');
  const list = counting.length > 0 ? counting : all;
  if (closed) return list;
  const best = Math.min(...list.map((p) => weight[p.state] ?? 9));
  return list.filter((p) => (weight[p.state] ?? 9) === best);
}

function counts(p: Presence): boolean {
  return p.place.kind === 'default' || p.place.kind === 'release' || p.place.kind === 'deployed';
}

function what(f: FindingDetail): string {
  const words = text.findings.verdict;
  const spot = f.file ? (f.line ? words.line(f.file, f.line) : f.file) : '';
  switch (f.class) {
    case 'dependency':
      return words.what.dependency([f.package?.name, f.package?.version].filter(Boolean).join(' '), f.ids?.[0] ?? f.rule ?? '');
    case 'secret':
      return words.what.secret(spot);
    case 'code':
      return words.what.code(spot);
    case 'resource':
      return words.what.resource(f.resource?.name || f.resource?.id || f.resource?.type || '', f.rule ?? '');
    case 'web': {
      const endpoint = [f.endpoint?.method, f.endpoint?.url].filter(Boolean).join(' ');
      return words.what.web(f.endpoint?.param ? words.parameter(endpoint, f.endpoint.param) : endpoint);
    }
    case 'host':
      return words.what.host(f.host || f.target);
    default:
      return words.what.other(f.rule ?? '');
  }
}

const shown = 3;

function where(telling: Presence[], closed: boolean): string {
  const words = text.findings.verdict;
  const refs = unique(telling.filter((p) => p.place.kind !== 'deployed').map((p) => p.place.ref || p.place.stream.target));
  const environments = unique(telling.filter((p) => p.place.kind === 'deployed').map((p) => p.place.environment ?? ''));
  if (refs.length + environments.length === 0) return closed ? words.wasKnown : words.isKnown;
  return (closed ? words.wasOn : words.isOn)(refs.slice(0, shown), Math.max(0, refs.length - shown), environments);
}

function state(f: FindingDetail, language?: string): string {
  const words = text.findings.verdict;
  let out = words.state[f.state] ?? f.state;
  if (f.state === 'in_progress' && f.owner) out += words.by(f.owner);
  if ((f.state === 'accepted' || f.state === 'false_positive') && f.decision?.until) out += words.until(day(f.decision.until, language));
  if (f.reopened && f.state !== 'fixed' && f.state !== 'gone') out += words.reopened(f.reopened);
  return out;
}

function why(f: FindingDetail, telling: Presence[]): string {
  const words = text.findings.verdict.why;
  switch (f.state) {
    case 'accepted':
    case 'false_positive':
      return words.decided;
    case 'not_observed':
      return words.not_observed;
    case 'scope_lost':
      return words.scope_lost;
    case 'gone':
      return words.gone;
    case 'fixed': {
      const bases = unique(telling.filter((p) => p.state === 'fixed').map((p) => p.basis ?? ''));
      // One weak proof makes the whole a weak one.
      if (bases.includes('declared')) return words.declared;
      return bases.length === 1 && bases[0] === 'proven' ? words.proven : words.tool;
    }
  }
  if (telling.length > 0 && !telling.some(counts)) return words.elsewhere;
  const first = telling[0];
  return words.observed(first ? first.place.ref || first.place.environment || '' : '');
}

function unique(items: string[]): string[] {
  return [...new Set(items)].filter((s) => s !== '');
}

/** A day for people, in UTC like every time that the pages show. */
function day(at: string, language?: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(at));
}
