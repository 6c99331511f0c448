import { Anchor, Button, CloseButton, Group, Paper, Text } from '@mantine/core';
import { IconArrowMerge, IconGavel } from '@tabler/icons-react';
import { number } from '../../lib/time';
import { text } from '../../text';
import classes from './BulkBar.module.css';
import type { Selection } from './selection';

/** How many findings one decision takes: named ones, and those of a filter. */
const mostNamed = 1_000;
const mostDecided = 10_000;

/** How many findings one link takes. */
const mostJoined = 100;

/** What can be done with the rows that are selected. */
export function BulkBar({ selection, loaded, total, capped, onAll, onDecide, onJoin, onClear }: {
  selection: Selection;
  loaded: number;
  total: number | undefined;
  capped: boolean;
  onAll: () => void;
  onDecide: () => void;
  /** Says that the selected ones are one problem. */
  onJoin: (ids: string[]) => void;
  onClear: () => void;
}) {
  const words = text.findings.bulk;
  if (selection.ids.size === 0 && !selection.all) return null;
  const all = total === undefined ? '' : capped ? text.shell.capped(number(total)) : number(total);
  const most = selection.all ? mostDecided : mostNamed;
  const tooMany = (selection.all && capped) || (selection.all ? (total ?? 0) : selection.ids.size) > most;
  const offersAll = !selection.all && total !== undefined && selection.ids.size >= loaded && total > selection.ids.size;
  return (
    <Paper withBorder shadow="md" className={classes.bar} role="region" aria-label={words.label}>
      <Group gap="sm" wrap="wrap">
        <Text size="sm" fw={600} role="status">
          {selection.all ? words.allSelected(all) : words.selected(selection.ids.size)}
        </Text>
        {offersAll && (
          <Anchor component="button" type="button" size="sm" onClick={onAll}>
            {words.selectAll(all)}
          </Anchor>
        )}
        {tooMany && (
          <Text size="sm" c="var(--mantine-color-error)">
            {(selection.all ? words.tooMany : words.tooManyNamed)(number(most))}
          </Text>
        )}
      </Group>
      <Group gap="xs" wrap="nowrap">
        {!selection.all && selection.ids.size > 1 && selection.ids.size <= mostJoined && (
          <Button size="xs" variant="default" leftSection={<IconArrowMerge size={16} aria-hidden />} onClick={() => onJoin([...selection.ids])}>
            {words.join}
          </Button>
        )}
        <Button size="xs" leftSection={<IconGavel size={16} aria-hidden />} disabled={tooMany} onClick={onDecide}>
          {words.decide}
        </Button>
        <CloseButton size="sm" aria-label={words.clear} onClick={onClear} />
      </Group>
    </Paper>
  );
}
