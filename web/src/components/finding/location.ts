import type { Finding } from '../../api/findings';

/** Where a finding is, in the words of its class; the target when the report tells no place. */
export function locationOf(f: Pick<Finding, 'class' | 'file' | 'line' | 'package' | 'resource' | 'endpoint' | 'host' | 'image' | 'target'>): string {
  switch (f.class) {
    case 'dependency':
      return componentOf(f) || f.file || f.image || f.target;
    case 'resource':
      return f.resource?.name || f.resource?.id || f.resource?.type || f.file || f.target;
    case 'web':
      return [f.endpoint?.method, f.endpoint?.url].filter(Boolean).join(' ') || f.target;
    case 'host':
      return f.host || f.target;
    default:
      return f.file ? (f.line ? `${f.file}:${f.line}` : f.file) : f.image || f.target;
  }
}

/** Name and version of the package, '' for none. */
export function componentOf(f: Pick<Finding, 'package'>): string {
  return [f.package?.name, f.package?.version].filter(Boolean).join(' ');
}
