import { Text } from '@mantine/core';
import type { IssueEvent } from '../../api/issues';
import { text } from '../../text';
import { Time } from '../../ui/Time';
import classes from './issues.module.css';

/** What people and evidence did, newest first. */
export function IssueHistory({ events }: { events: IssueEvent[] }) {
  return (
    <ol className={classes.list} reversed>
      {[...events].reverse().map((event, i) => (
        <li key={i} className={classes.event}>
          <Text size="sm" c="dimmed" component="span">
            <Time at={event.at} />
          </Text>
          <Text size="sm" component="span">
            {what(event)}{' '}
            <Text span inherit c="dimmed">
              {event.actor === 'system' ? text.issues.evidence : (event.actor_name ?? event.actor)}
            </Text>
          </Text>
        </li>
      ))}
    </ol>
  );
}

function what(event: IssueEvent): string {
  const words = text.issues;
  const name = words.events[event.kind] ?? event.kind;
  const state = (s?: string) => words.states[s ?? ''] ?? s ?? '';
  switch (event.kind) {
    case 'opened':
      return name;
    case 'note':
      return `${name}: ${event.note ?? ''}`;
    case 'state':
      return `${state(event.from)} → ${state(event.to)}`;
    default:
      return `${name}: ${event.from || words.nothing} → ${event.to || words.nothing}`;
  }
}
