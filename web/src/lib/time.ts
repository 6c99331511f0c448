// Relative times, with the exact one on hover.
const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 24 * 3600],
  ['month', 30 * 24 * 3600],
  ['week', 7 * 24 * 3600],
  ['day', 24 * 3600],
  ['hour', 3600],
  ['minute', 60],
];

/** "3 days ago", "in 2 hours"; `soon` is said for less than a minute. */
export function relative(at: Date, now: Date, soon: string, language?: string): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) {
      return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
    }
  }
  return soon;
}

/** A count for people: 1,204,331. */
export function number(n: number, language?: string): string {
  return new Intl.NumberFormat(language).format(n);
}

/** Bytes for people: 1.2 MB. */
export function bytes(n: number, language?: string): string {
  const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
  let i = 0;
  while (n >= 1000 && i < names.length - 1) {
    n /= 1000;
    i++;
  }
  return new Intl.NumberFormat(language, { style: 'unit', unit: names[i]!, unitDisplay: 'short', maximumFractionDigits: n < 10 && i > 0 ? 1 : 0 }).format(n);
}
