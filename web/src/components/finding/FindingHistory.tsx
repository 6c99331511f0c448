import type { FindingDetail, FindingEvent } from '../../api/findings';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import { Time } from '../../ui/Time';
import classes from './FindingDetail.module.css';
import { Section } from './Section';

/** What happened to a finding and why, the newest first. */
export function History({ f }: { f: FindingDetail }) {
  const words = text.findings.detail;
  return (
    <Section title={words.history}>
      <ol className={classes.events}>
        {[...f.events].reverse().map((e, i) => (
          <Event key={i} e={e} />
        ))}
      </ol>
    </Section>
  );
}

function Event({ e }: { e: FindingEvent }) {
  const words = text.findings.detail;
  const person = e.actor !== undefined && e.actor !== '' && e.actor !== 'system' && e.actor !== 'tool';
  return (
    <li className={classes.event} data-person={person || undefined}>
      <div className={classes.eventHead}>
        <strong>{words.events[e.kind] ?? e.kind}</strong>
        {e.place && <span>{words.inPlace(e.place)}</span>}
        {e.from && e.to && e.kind !== 'opened' && (
          <span className={classes.dim}>
            {valueWord(e.from)} → {valueWord(e.to)}
          </span>
        )}
        <span className={classes.dim}>
          <Time at={e.at} />
        </span>
        {person && <span className={classes.dim}>{words.by(e.actor_name ?? e.actor!)}</span>}
      </div>
      <div>
        <Cause cause={e.cause} snapshot={e.snapshot} />
      </div>
    </li>
  );
}

/** The cause; the snapshot that it names leads to the snapshot. */
function Cause({ cause, snapshot }: { cause: string; snapshot: string | undefined }) {
  const at = snapshot ? cause.indexOf(snapshot) : -1;
  if (!snapshot || at < 0) return <>{cause}</>;
  return (
    <>
      {cause.slice(0, at)}
      <AnchorLink to="/import/$id" params={{ id: snapshot }} inherit underline="always">
        {snapshot.slice(0, 8)}
      </AnchorLink>
      {cause.slice(at + snapshot.length)}
    </>
  );
}

function valueWord(value: string): string {
  const words = text.findings;
  return words.state[value] ?? words.presence[value] ?? words.severity[value] ?? words.decide.verdicts[value] ?? value;
}
