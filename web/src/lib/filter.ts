// Edits filter text without understanding all of it: the server's parser is the
// one that decides (docs/filter.md). What a person is still writing stays as it is.

/** A term of a filter, at [start, end) of the text. */
export interface Term {
  start: number;
  end: number;
  negated: boolean;
  field: string; // as the language names it first; '' for a word
  op: string; // '' for none
  values: string[];
}

const aliases: Record<string, string> = { sev: 'severity', state: 'is', application: 'app', environment: 'env', branch: 'ref', cve: 'id', path: 'file', pkg: 'package', url: 'endpoint' };
const severities = ['info', 'low', 'medium', 'high', 'critical'];

/** The terms of a filter. An unclosed quote reaches to the end. */
export function terms(text: string): Term[] {
  const out: Term[] = [];
  for (let i = 0; i < text.length; ) {
    if (isSpace(text[i]!)) {
      i++;
      continue;
    }
    const start = i;
    for (let quoted = false; i < text.length && (quoted || !isSpace(text[i]!)); i++) {
      if (quoted && text[i] === '\\') i++;
      else if (text[i] === '"') quoted = !quoted;
    }
    const end = Math.min(i, text.length);
    out.push({ start, end, ...parts(text.slice(start, end)) });
  }
  return out;
}

function parts(raw: string): Omit<Term, 'start' | 'end'> {
  const negated = raw.startsWith('-');
  const body = negated ? raw.slice(1) : raw;
  const field = /^([^\s,":]*):/.exec(body);
  if (!field) return { negated, field: '', op: '', values: values(body) };
  const rest = body.slice(field[0].length);
  const op = /^(>=|<=|==|[><~=])/.exec(rest)?.[0] ?? '';
  const name = field[1]!.toLowerCase();
  return { negated, field: aliases[name] ?? name, op: op === '=' ? '' : op, values: values(rest.slice(op.length)) };
}

/** The values of a list with commas, unquoted. */
function values(list: string): string[] {
  const out: string[] = [];
  let value = '';
  let quoted = false;
  for (let i = 0; i < list.length; i++) {
    const c = list[i]!;
    if (quoted && c === '\\' && (list[i + 1] === '"' || list[i + 1] === '\\')) value += list[++i]!;
    else if (c === '"') quoted = !quoted;
    else if (c === ',' && !quoted) {
      out.push(value);
      value = '';
    } else value += c;
  }
  return [...out, value].filter((v) => v !== '');
}

function isSpace(c: string): boolean {
  return c.trim() === '';
}

/** A value as the language reads it back. */
export function quote(value: string): string {
  if (value !== '' && !/^[-<>=~]|[\s,"]/.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** The values that the filter asks a field for. `severity:>=high` asks for high and critical. */
export function chosen(text: string, field: string): Set<string> {
  const out = new Set<string>();
  for (const term of terms(text)) {
    if (asksFor(term, field)) expand(term).forEach((v) => out.add(v));
  }
  return out;
}

function asksFor(term: Term, field: string): boolean {
  return !term.negated && term.field === field && (term.op === '' || term.op === '==' || field === 'severity');
}

function expand(term: Term): string[] {
  const at = severities.indexOf(term.values[0]?.toLowerCase() ?? '');
  if (term.field !== 'severity' || term.op === '' || term.op === '==' || at < 0) return term.values.map((v) => (term.field === 'severity' || term.field === 'is' || term.field === 'class' ? v.toLowerCase() : v));
  switch (term.op) {
    case '>=':
      return severities.slice(at);
    case '>':
      return severities.slice(at + 1);
    case '<=':
      return severities.slice(0, at + 1);
    default:
      return severities.slice(0, at);
  }
}

/** The filter that asks a field for one value more, or less if it asks for it already. */
export function toggle(text: string, field: string, value: string): string {
  const list = terms(text);
  const mine = list.filter((t) => asksFor(t, field));
  const wanted = [...new Set(mine.flatMap(expand))];
  const now = wanted.includes(value) ? wanted.filter((v) => v !== value) : [...wanted, value];
  const first = mine[0];
  if (!first) return append(text, write(field, now));
  return assemble(text, list.filter((t) => t === first || !mine.includes(t)), new Map([[first, now.length > 0 ? write(field, now) : '']]));
}

/** The filter that excludes a value of a field; what asked for it no longer does. */
export function exclude(text: string, field: string, value: string): string {
  const without = chosen(text, field).has(value) ? toggle(text, field, value) : text;
  return append(without, '-' + write(field, [value]));
}

/** The filter without anything about a field. */
export function without(text: string, field: string): string {
  return assemble(text, terms(text).filter((t) => t.field !== field), new Map());
}

/** The filter without one of its terms. */
export function drop(text: string, term: Term): string {
  return assemble(text, terms(text).filter((t) => t.start !== term.start), new Map());
}

/** What fulfils both. */
export function both(a: string, b: string): string {
  return [a.trim(), b.trim()].filter((s) => s !== '').join(' ');
}

const append = both;

/** `field:a,b`. An asterisk in a name is meant literally; `none` asks for what has none. */
function write(field: string, list: string[]): string {
  const literal = !['severity', 'is', 'class'].includes(field) && list.some((v) => v.includes('*')) && !list.includes('none');
  return `${field}:${literal ? '==' : ''}${list.map(quote).join(',')}`;
}

function assemble(text: string, keep: Term[], changed: Map<Term, string>): string {
  return keep
    .map((t) => [...changed].find(([c]) => c.start === t.start)?.[1] ?? text.slice(t.start, t.end))
    .filter((s) => s !== '')
    .join(' ');
}

const encoder = new TextEncoder();

/** The position in bytes of UTF-8 that the server wants, for a position in the text. */
export function byteOffset(text: string, at: number): number {
  return encoder.encode(text.slice(0, at)).length;
}

/** The position in the text, for a position in bytes of UTF-8. */
export function textOffset(text: string, bytes: number): number {
  let left = bytes;
  let at = 0;
  for (const c of text) {
    if (left <= 0) break;
    left -= encoder.encode(c).length;
    at += c.length;
  }
  return at;
}

/** What is wrong in a filter, as `where` of a problem names it: "filter, character 9". */
export function faultAt(text: string, where: string | undefined): { start: number; end: number } | null {
  const found = /^filter, character (\d+)$/.exec(where ?? '');
  if (!found) return null;
  const start = [...text].slice(0, Number(found[1]) - 1).join('').length;
  const rest = /^[^\s,:"]*/.exec(text.slice(start))![0].length;
  return { start: Math.min(start, text.length), end: Math.min(start + Math.max(rest, 1), Math.max(text.length, start + 1)) };
}
