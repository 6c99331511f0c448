// What somebody declares of his reports, as he types it, and what of it is
// remembered for the next time.
import type { Declared } from '../../api/imports';

export interface Form {
  application: string;
  service: string;
  target: string;
  ref: string;
  base: string;
  commit: string;
  digest: string;
  environment: string;
  label: string;
  source: string;
  at: string;
  coverage: '' | 'complete' | 'partial' | 'failed';
  rules: string[];
  paths: string[];
  hosts: string[];
  path_prefix: string;
  strip_prefix: string;
}

export const blank: Form = {
  application: '', service: '', target: '', ref: '', base: '', commit: '', digest: '', environment: '', label: '', source: '', at: '',
  coverage: '', rules: [], paths: [], hosts: [], path_prefix: '', strip_prefix: '',
};

/** What is the same the next time. A commit or a time is not: it would be wrong. */
const kept = ['application', 'service', 'target', 'ref', 'environment', 'label', 'source', 'coverage', 'path_prefix', 'strip_prefix'] as const;

/** The fields that lie behind “More”. */
export const further = ['service', 'commit', 'digest', 'environment', 'label', 'source', 'base', 'at', 'rules', 'paths', 'hosts', 'path_prefix', 'strip_prefix'] as const;

/** A time as it is written here, in UTC: 2026-11-20, 2026-11-20T15:30, with seconds and Z if one likes. Null if it is none. */
export function asTime(written: string): string | null {
  const m = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?)?Z?$/.exec(written.trim());
  if (!m) return null;
  const at = `${m[1]}T${m[2] ?? '00:00'}${m[3] ?? ':00'}Z`;
  const date = new Date(at);
  // 31 February is rolled over by the Date; it was none.
  return Number.isNaN(date.getTime()) || !date.toISOString().startsWith(m[1]!) ? null : at;
}

/** What is sent. Fields that are empty are left to the report and the rules. */
export function declaration(form: Form): Declared {
  const at = asTime(form.at);
  return { ...form, at: at ?? undefined };
}

export function valid(form: Form): boolean {
  return form.at.trim() === '' || asTime(form.at) !== null;
}

const place = 'sinew.import.declared';

/** What was declared the last time in this browser, as far as it is likely to hold again. */
export function remembered(storage: Pick<Storage, 'getItem'>): Form {
  try {
    const saved = JSON.parse(storage.getItem(place) ?? '{}') as Record<string, unknown>;
    const out = { ...blank };
    for (const name of kept) {
      const value = saved[name];
      if (typeof value !== 'string' || value.length > 1000) continue;
      if (name === 'coverage') {
        if (value === 'complete' || value === 'partial' || value === 'failed') out.coverage = value;
      } else out[name] = value;
    }
    return out;
  } catch {
    return { ...blank };
  }
}

export function remember(storage: Pick<Storage, 'setItem'>, form: Form) {
  try {
    storage.setItem(place, JSON.stringify(Object.fromEntries(kept.map((name) => [name, form[name]]))));
  } catch {
    // A browser that keeps nothing asks again the next time.
  }
}

/** Whether anything was declared. */
export function empty(form: Form): boolean {
  return JSON.stringify(form) === JSON.stringify(blank);
}
