import { expect, test } from 'vitest';
import { idLink, safeLink } from './links';

test.each([
  ['CVE-2024-3094', 'https://nvd.nist.gov/vuln/detail/CVE-2024-3094'],
  ['GHSA-jfh8-c2jp-5v3q', 'https://github.com/advisories/GHSA-jfh8-c2jp-5v3q'],
  ['CWE-79', 'https://cwe.mitre.org/data/definitions/79.html'],
  ['PYSEC-2024-60', 'https://osv.dev/vulnerability/PYSEC-2024-60'],
  ['GO-2023-1571', 'https://osv.dev/vulnerability/GO-2023-1571'],
  ['RHSA-2024:1234', 'https://access.redhat.com/errata/RHSA-2024:1234'],
  ['CVE-2024-1/../x', null],
  ['CKV_AWS_20', null],
  ['javascript:alert(1)', null],
])('%s leads to %s', (id, want) => {
  expect(idLink(id)).toBe(want);
});

test.each([
  ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
  ['http://example.org', 'http://example.org/'],
  ['javascript:alert(1)', null],
  ['JaVaScRiPt:alert(1)', null],
  ['data:text/html,x', null],
  ['//example.org', null],
  ['not an address', null],
])('%s from outside: %s', (address, want) => {
  expect(safeLink(address)).toBe(want);
});
