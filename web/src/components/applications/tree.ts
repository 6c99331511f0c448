// The tree organisation > business unit > application > service, with what is
// open in each.
import type { Application, Severities } from '../../api/applications';
import { anyOf, term, terms } from '../../lib/term';

export type Kind = 'organisation' | 'businessunit' | 'application' | 'service';

export interface Node {
  id: string; // path of names; stays the same when numbers change
  kind: Kind;
  name: string; // "" for applications that belong to no organisation
  applications: string[]; // names of the applications in it
  application?: string; // of a service
  open: number;
  severities: Severities;
  gone?: boolean;
  children: Node[];
}

/** The tree, each level by name; what belongs to no organisation comes last. */
export function tree(applications: Application[], open: Map<string, Severities>): Node[] {
  const organisations = new Map<string, Node>();
  for (const app of applications) {
    const organisation = child(organisations, 'organisation', app.organisation ?? '', '');
    const units = new Map(organisation.children.filter((n) => n.kind === 'businessunit').map((n) => [n.name, n]));
    let parent = organisation;
    if (app.businessunit) {
      parent = child(units, 'businessunit', app.businessunit, organisation.id);
      if (!organisation.children.includes(parent)) organisation.children.push(parent);
    }
    const severities = open.get(app.name) ?? {};
    parent.children.push({
      id: `application\0${app.name}`, kind: 'application', name: app.name, applications: [app.name], open: app.active, severities, gone: app.gone,
      children: [...(app.services ?? [])].sort(byName).map((service) => ({
        id: `service\0${app.name}\0${service}`, kind: 'service', name: service, applications: [app.name], application: app.name, open: 0, severities: {}, children: [],
      })),
    });
    for (const above of new Set([organisation, parent])) {
      above.applications.push(app.name);
      above.open += app.active;
      for (const [severity, n] of Object.entries(severities)) above.severities[severity] = (above.severities[severity] ?? 0) + n;
    }
  }
  const sort = (nodes: Node[]): Node[] => {
    for (const node of nodes) if (node.kind !== 'application') sort(node.children);
    return nodes.sort((a, b) => Number(a.name === '') - Number(b.name === '') || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || byName(a.name, b.name));
  };
  return sort([...organisations.values()]);
}

const kinds: Kind[] = ['organisation', 'businessunit', 'application', 'service'];

function child(among: Map<string, Node>, kind: Kind, name: string, above: string): Node {
  let node = among.get(name);
  if (!node) {
    node = { id: `${above}\0${kind}\0${name}`, kind, name, applications: [], open: 0, severities: {}, children: [] };
    among.set(name, node);
  }
  return node;
}

function byName(a: string, b: string): number {
  return a.localeCompare(b);
}

/** The part of the tree that fits a search: nodes that have it in their name, all above them, and all below them. */
export function search(nodes: Node[], text: string): Node[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return nodes;
  return nodes.flatMap((node) => {
    if (node.name.toLowerCase().includes(wanted)) return [node];
    const children = search(node.children, text);
    return children.length > 0 ? [{ ...node, children }] : [];
  });
}

export interface Row {
  node: Node;
  level: number; // from 1
  expanded: boolean | null; // null: it has nothing below
}

/** The rows that are to be seen when these nodes are closed. */
export function rows(nodes: Node[], isOpen: (node: Node) => boolean, level = 1): Row[] {
  return nodes.flatMap((node) => {
    const expanded = node.children.length === 0 ? null : isOpen(node);
    return [{ node, level, expanded }, ...(expanded ? rows(node.children, isOpen, level + 1) : [])];
  });
}

/** More applications than this begin closed, below their organisations. */
export const many = 100;

/** Whether a node is open before anybody touched it. */
export function opensAtFirst(node: Node, applications: number): boolean {
  if (node.kind === 'organisation') return true;
  return node.kind === 'businessunit' && applications <= many;
}

/** The filter for the open findings of a node; null for one of so many applications that no filter names them all. */
export function filterOf(node: Node): string | null {
  const filter = terms(anyOf('app', node.applications), node.kind === 'service' && term('service', node.name), 'is:open');
  return node.applications.length <= maxNamed && filter.length <= maxFilter ? filter : null;
}

// Bounds of the filter language, with room for a severity.
const maxNamed = 256;
const maxFilter = 8000;
