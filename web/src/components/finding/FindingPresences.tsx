import { Text } from '@mantine/core';
import type { FindingDetail, Presence } from '../../api/findings';
import { text } from '../../text';
import { Time } from '../../ui/Time';
import classes from './FindingDetail.module.css';
import { Section } from './Section';
import { StateBadge } from './State';

/** The places where a finding is or was: refs, and versions that run in environments. */
export function Presences({ f }: { f: FindingDetail }) {
  const words = text.findings.detail;
  return (
    <Section title={words.where}>
      {f.presences.length === 0 ? (
        <Text size="sm" c="dimmed">
          {words.places.none}
        </Text>
      ) : (
        <div className={classes.scroll} tabIndex={0} role="group" aria-label={words.places.caption}>
          <table className={classes.table} aria-label={words.places.caption}>
            <thead>
              <tr>
                <th scope="col">{words.places.place}</th>
                <th scope="col">{words.places.state}</th>
                <th scope="col">{words.places.first}</th>
                <th scope="col">{words.places.last}</th>
                <th scope="col">{words.places.line}</th>
              </tr>
            </thead>
            <tbody>
              {f.presences.map((p, i) => (
                <tr key={i}>
                  <th scope="row">
                    {placeName(p)}
                    <div className={classes.dim}>
                      {[text.findings.place[p.place.kind] ?? p.place.kind, p.place.stream.tool, p.place.stream.label, p.place.ended].filter(Boolean).join(' · ')}
                    </div>
                  </th>
                  <td>
                    <StateBadge state={p.state} help={p.cause} />
                    {p.basis && <div className={classes.dim}>{words.basis[p.basis] ?? p.basis}</div>}
                  </td>
                  <td className={classes.nowrap}>
                    <Time at={p.first_seen} />
                  </td>
                  <td className={classes.nowrap}>
                    <Time at={p.last_seen} />
                  </td>
                  <td>{p.line || '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

/** A place in few words: environment or ref, and the short form of what runs or was scanned there. */
function placeName(p: Presence): string {
  const name = p.place.kind === 'deployed' ? (p.place.environment ?? '') : p.place.ref || p.place.stream.target;
  const version = p.place.version ?? '';
  const short = /^(sha256:)?[0-9a-f]{16,}$/.test(version) ? version.replace('sha256:', '').slice(0, 10) : version;
  return short && short !== name ? `${name} @ ${short}` : name;
}
