// Every page, with an example of what it shows: what is checked on every page,
// and photographed, goes over this list. A page that is missing here fails a test.
import { call } from './harness.mjs';

export async function pagesOf(server, token) {
  const one = async (path) => (await call(server, token, 'GET', path)).items[0].id;
  const finding = await one('/findings?limit=1&filter=' + encodeURIComponent('is:open class:dependency'));
  const issue = await one('/issues?limit=1&kind=upgrade');
  const asset = await one('/assets?limit=1');
  const snapshot = await one('/snapshots?limit=1');
  return [
    { name: 'findings', path: '/findings' },
    { name: 'findings-all', path: '/findings?tab=all' },
    { name: 'findings-groups', path: '/findings?tab=all&group=rule' },
    { name: 'findings-panel', path: `/findings?tab=all&open=${finding}` },
    { name: 'findings-none', path: '/findings?tab=all&filter=nowhere-to-be-found' },
    { name: 'finding', path: `/findings/${finding}` },
    { name: 'issues', path: '/issues' },
    { name: 'issue', path: `/issues/${issue}` },
    { name: 'import', path: '/import' },
    { name: 'import-result', path: `/import/${snapshot}` },
    { name: 'applications', path: '/applications' },
    { name: 'applications-rules', path: '/applications?tab=rules' },
    { name: 'assets', path: '/assets' },
    { name: 'asset', path: `/assets/${asset}` },
    { name: 'coverage', path: '/coverage' },
    { name: 'coverage-streams', path: '/coverage?tab=streams' },
    { name: 'scanners', path: '/scanners' },
    { name: 'log', path: '/log' },
    { name: 'log-entry', path: '/log?entry=2' },
    { name: 'settings', path: '/settings' },
    { name: 'settings-tokens', path: '/settings?tab=tokens' },
    { name: 'settings-users', path: '/settings?tab=users' },
    { name: 'settings-providers', path: '/settings?tab=providers' },
    { name: 'not-found', path: '/no/such/page' },
  ];
}
