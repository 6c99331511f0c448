// The text catalog: every sentence that pages show, one file for each area. A
// translation is another object of the type Catalog; sentences with numbers or
// names are functions, so that a language can order and inflect as it needs.
import { assets } from './assets';
import { applications } from './applications';
import { coverage } from './coverage';
import { dedup, scanners } from './dedup';
import { findings } from './findings';
import { imports } from './imports';
import { issues } from './issues';
import { log } from './log';
import { settings } from './settings';
import { shell } from './shell';

export const en = { shell, findings, issues, imports, applications, assets, coverage, dedup, scanners, log, settings };
export type Catalog = typeof en;

const catalogs: Record<string, Catalog> = { en };
const fallback = en;

/** The catalog of the best language that the browser asks for. */
export const text: Catalog = choose(typeof navigator === 'undefined' ? [] : navigator.languages);

export function choose(languages: readonly string[]): Catalog {
  for (const language of languages) {
    const found = catalogs[language.split('-')[0] ?? ''];
    if (found) return found;
  }
  return fallback;
}
