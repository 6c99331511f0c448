// Which findings are on an asset, and its relations as a person reads them.
import type { AssetDetail, AssetRelation } from '../../api/assets';
import { term, terms } from '../../lib/term';

/**
 * The filter that finds the open findings on an asset; null for kinds to which
 * findings are not tied by a field of the filter language.
 */
export function findingsOn(asset: Pick<AssetDetail, 'kind' | 'key' | 'application'>): string | null {
  const field = fields[asset.kind];
  return field ? terms(term(field, asset.key), 'is:open') : null;
}

const fields: Record<string, string> = {
  application: 'app',
  service: 'service',
  repo: 'target',
  package: 'purl',
  vulnerability: 'id',
  environment: 'env',
  ref: 'ref',
  imageref: 'image',
  artifact: 'image',
  compute: 'host',
  cloudaccount: 'target',
  cluster: 'target',
  workload: 'resource',
  datastore: 'resource',
  iacresource: 'resource',
  network: 'resource',
  netpolicy: 'resource',
  netendpoint: 'host',
  identity: 'resource',
  policy: 'resource',
  apiendpoint: 'endpoint',
};

export interface Relations {
  kind: string;
  out: boolean;
  others: AssetRelation[];
}

/** Relations by kind and direction, each other end once; those that several streams tell are not repeated. */
export function grouped(relations: AssetRelation[]): Relations[] {
  const groups = new Map<string, Relations & { seen: Set<string> }>();
  for (const relation of relations) {
    const key = `${relation.kind}\0${relation.out}`;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { kind: relation.kind, out: relation.out, others: [], seen: new Set() }));
    const other = relation.other ? `${relation.other.kind}\0${relation.other.key}` : `\0${group.others.length}`;
    if (group.seen.has(other)) continue;
    group.seen.add(other);
    group.others.push(relation);
  }
  return [...groups.values()]
    .map(({ kind, out, others }) => ({ kind, out, others: others.sort((a, b) => Number(!a.other) - Number(!b.other) || (a.other?.key ?? '').localeCompare(b.other?.key ?? '')) }))
    .sort((a, b) => a.kind.localeCompare(b.kind) || Number(b.out) - Number(a.out));
}
