// Every page and its address. What a page shows is in its address: the search
// parameters are checked here and nowhere else. Pages are lazy chunks.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { Root } from './components/Root';
import { findingsSearch } from './pages/findings/search';
import { Broken } from './ui/Fault';
import { NotFound } from './ui/NotFound';

const root = createRootRoute({ component: Root, notFoundComponent: NotFound, errorComponent: Broken });

/** Reads search parameters that are plain texts; everything else is left out. */
function texts<K extends string>(...names: K[]) {
  return (search: Record<string, unknown>): { [P in K]?: string } => {
    const out: { [P in K]?: string } = {};
    for (const name of names) {
      const value = search[name];
      if (typeof value === 'string' && value !== '') out[name] = value;
      else if (typeof value === 'number' || typeof value === 'boolean') out[name] = String(value);
    }
    return out;
  };
}

const index = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/findings', replace: true });
  },
});

const findings = createRoute({
  getParentRoute: () => root,
  path: '/findings',
  validateSearch: findingsSearch,
  component: lazyRouteComponent(() => import('./pages/findings/FindingsPage'), 'FindingsPage'),
});

const finding = createRoute({
  getParentRoute: () => root,
  path: '/findings/$id',
  component: lazyRouteComponent(() => import('./pages/finding/FindingPage'), 'FindingPage'),
});

const issues = createRoute({
  getParentRoute: () => root,
  path: '/issues',
  validateSearch: texts('app', 'kind', 'state', 'owner', 'text', 'sort'),
  component: lazyRouteComponent(() => import('./pages/issues/IssuesPage'), 'IssuesPage'),
});

const issue = createRoute({
  getParentRoute: () => root,
  path: '/issues/$id',
  component: lazyRouteComponent(() => import('./pages/issues/IssuePage'), 'IssuePage'),
});

const imports = createRoute({
  getParentRoute: () => root,
  path: '/import',
  component: lazyRouteComponent(() => import('./pages/imports/ImportPage'), 'ImportPage'),
});

const snapshot = createRoute({
  getParentRoute: () => root,
  path: '/import/$id',
  component: lazyRouteComponent(() => import('./pages/imports/SnapshotPage'), 'SnapshotPage'),
});

const applications = createRoute({
  getParentRoute: () => root,
  path: '/applications',
  validateSearch: texts('tab', 'q'),
  component: lazyRouteComponent(() => import('./pages/applications/ApplicationsPage'), 'ApplicationsPage'),
});

const assets = createRoute({
  getParentRoute: () => root,
  path: '/assets',
  validateSearch: texts('kind', 'app', 'text'),
  component: lazyRouteComponent(() => import('./pages/assets/AssetsPage'), 'AssetsPage'),
});

const asset = createRoute({
  getParentRoute: () => root,
  path: '/assets/$id',
  component: lazyRouteComponent(() => import('./pages/assets/AssetPage'), 'AssetPage'),
});

const coverage = createRoute({
  getParentRoute: () => root,
  path: '/coverage',
  validateSearch: texts('tab', 'gap', 'app', 'q'),
  component: lazyRouteComponent(() => import('./pages/coverage/CoveragePage'), 'CoveragePage'),
});

const scanners = createRoute({
  getParentRoute: () => root,
  path: '/scanners',
  component: lazyRouteComponent(() => import('./pages/scanners/ScannersPage'), 'ScannersPage'),
});

const log = createRoute({
  getParentRoute: () => root,
  path: '/log',
  validateSearch: texts('kind', 'actor', 'from', 'to', 'q', 'order', 'entry'),
  component: lazyRouteComponent(() => import('./pages/log/LogPage'), 'LogPage'),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  validateSearch: texts('tab'),
  component: lazyRouteComponent(() => import('./pages/settings/SettingsPage'), 'SettingsPage'),
});

const signin = createRoute({
  getParentRoute: () => root,
  path: '/signin',
  validateSearch: texts('error', 'request', 'return'),
  component: lazyRouteComponent(() => import('./pages/signin/SignInPage'), 'SignInPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([index, findings, finding, issues, issue, imports, snapshot, applications, assets, asset, coverage, scanners, log, settings, signin]),
  defaultPreload: 'intent',
  defaultErrorComponent: Broken,
  defaultPendingMs: 200,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
