// Where public ids are described. Only addresses that we make ourselves, or that
// are http or https, become links.

const places: [RegExp, (id: string) => string][] = [
  [/^CVE-\d{4}-\d{4,}$/, (id) => `https://nvd.nist.gov/vuln/detail/${id}`],
  [/^GHSA(-[a-z0-9]{4}){3}$/, (id) => `https://github.com/advisories/${id}`],
  [/^CWE-(\d+)$/, (id) => `https://cwe.mitre.org/data/definitions/${id.slice(4)}.html`],
  [/^RHSA-\d{4}:\d+$/, (id) => `https://access.redhat.com/errata/${id}`],
  [/^(ALPINE|ALSA|ASB-A|BIT|CGA|DEBIAN|DLA|DSA|DTSA|ECHO|GO|GSD|HSEC|MAL|MINI|OSV|PSF|PYSEC|RLSA|RUSTSEC|RXSA|SUSE|UBUNTU|USN)-[A-Za-z0-9:._-]+$/, (id) => `https://osv.dev/vulnerability/${id}`],
];

/** The page that describes a public id, or null when we know none. */
export function idLink(id: string): string | null {
  for (const [pattern, address] of places) if (pattern.test(id)) return address(id);
  return null;
}

/** An address from outside that may become a link, or null. */
export function safeLink(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}
