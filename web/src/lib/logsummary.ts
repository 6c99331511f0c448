// One line about an entry of the log, from its payload. Entries come in many
// kinds and versions; what is not understood says nothing, and the payload tells.
export function summary(kind: string, payload: unknown): string {
  if (typeof payload !== 'object' || payload === null) return '';
  const p = payload as Record<string, unknown>;
  switch (kind) {
    case 'snapshot': {
      const stream = object(p.stream);
      return words(p.tool_name ?? stream.tool, stream.target, stream.ref, p.report);
    }
    case 'decision':
      return words(p.verdict, list(p.findings), p.reason);
    case 'issue':
      return words(p.cause, p.owner, p.state, object(p.ticket).key, p.note);
    case 'ref':
      return words(p.target, p.ref, p.event, p.into);
    case 'deployment':
      return words(p.application, p.service, p.environment, p.version);
    case 'asset_end':
      return words(p.kind, p.key);
    case 'access':
      return words(p.op, p.role, p.name);
    default:
      return words(p.op, p.kind, p.name, p.reason);
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): string {
  if (!Array.isArray(value)) return '';
  return value.length === 1 ? String(value[0]) : `${value.length}`;
}

function words(...values: unknown[]): string {
  return values.filter((v): v is string | number => (typeof v === 'string' && v !== '') || typeof v === 'number').join(' · ');
}
