import { ActionIcon, Button, Code, Group, Progress, Select, Skeleton, Stack, Text, Tooltip } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconPlayerStop, IconX, type Icon } from '@tabler/icons-react';
import type { Format } from '../../api/imports';
import { sentence } from '../../lib/sentence';
import { bytes } from '../../lib/time';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import { OutcomeLine, OutcomeNotes } from './Outcome';
import { scanFilter } from './outcome';
import classes from './imports.module.css';
import { cancellable, percent, running, type Item, type Queue } from './queue';

/** The reports of this page: what they are, how far they are, and what became of them. */
export function UploadList({ items, formats, queue, onAgain }: { items: readonly Item[]; formats: Format[]; queue: Queue; onAgain: (id: number) => void }) {
  return (
    <ul className={classes.rows} aria-label={text.imports.queue.title}>
      {items.map((item) => (
        <li key={item.id} className={classes.row}>
          <UploadRow item={item} formats={formats} queue={queue} onAgain={onAgain} />
        </li>
      ))}
    </ul>
  );
}

function UploadRow({ item, formats, queue, onAgain }: { item: Item; formats: Format[]; queue: Queue; onAgain: (id: number) => void }) {
  const words = text.imports.queue;
  const stop = cancellable(item.phase);
  return (
    <Stack gap={6}>
      <Group gap="sm" align="center">
        <div className={classes.name}>
          <Text size="sm" fw={550}>
            {item.name}
          </Text>
          <Text size="xs" c="dimmed" component="div">
            {bytes(item.file.size)} · <FormatName item={item} formats={formats} />
          </Text>
        </div>
        <Group gap="xs" wrap="nowrap" className={classes.side}>
          <PhaseName item={item} />
          {item.phase !== 'projecting' && (
            <Tooltip label={stop ? words.cancel(item.name) : words.remove(item.name)}>
              <ActionIcon variant="subtle" color="gray" aria-label={stop ? words.cancel(item.name) : words.remove(item.name)} onClick={() => (stop ? queue.cancel(item.id) : queue.remove(item.id))}>
                {stop ? <IconPlayerStop size={18} /> : <IconX size={18} />}
              </ActionIcon>
            </Tooltip>
          )}
        </Group>
      </Group>
      {running(item.phase) && <Bar item={item} />}
      <Doubt item={item} formats={formats} queue={queue} />
      {item.phase === 'done' && item.info && (
        <>
          <OutcomeLine info={item.info} />
          <OutcomeNotes info={item.info} />
          <Group gap="md">
            <AnchorLink size="sm" to="/import/$id" params={{ id: item.info.id }}>
              {text.imports.result.detail}
            </AnchorLink>
            <AnchorLink size="sm" to="/findings" search={{ tab: 'all', filter: scanFilter(item.info) }}>
              {text.imports.result.open}
            </AnchorLink>
          </Group>
        </>
      )}
      {item.phase === 'refused' && item.problem && <Refusal item={item} onAgain={onAgain} />}
      {item.phase === 'cancelled' && (
        <Text size="sm" c="dimmed">
          {words.cancelled}
        </Text>
      )}
    </Stack>
  );
}

const icons: Partial<Record<Item['phase'], Icon>> = { done: IconCircleCheck, refused: IconAlertTriangle, cancelled: IconPlayerStop };

function PhaseName({ item }: { item: Item }) {
  const words = text.imports.stage;
  const Mark = icons[item.phase];
  const said = {
    detecting: text.imports.queue.recognising,
    staged: words.staged,
    waiting: words.waiting,
    sending: words.sending(bytes(item.sent), bytes(item.file.size)),
    reading: item.stage?.total ? words.readingOf(bytes(item.stage.done), bytes(item.stage.total)) : words.reading,
    projecting: words.project,
    done: words.done,
    refused: words.refused,
    cancelled: words.cancelled,
  }[item.phase];
  if (item.phase === 'staged' && !item.format && !item.detectFailed && !item.detected?.format) return null;
  return (
    <span className={classes.phase} data-phase={item.phase}>
      {Mark && <Mark size={16} aria-hidden />}
      {said}
    </span>
  );
}

function Bar({ item }: { item: Item }) {
  const value = percent(item);
  return (
    <Progress.Root size="sm">
      <Progress.Section value={value ?? 100} animated={value === null} striped={value === null} aria-label={text.imports.queue.progress(item.name)} withAria={value !== null} />
    </Progress.Root>
  );
}

/** The name of the format: chosen, recognised, or told by the import. */
function FormatName({ item, formats }: { item: Item; formats: Format[] }) {
  if (item.phase === 'detecting') return <Skeleton height={10} width={80} display="inline-block" />;
  const id = item.info?.format?.split('/')[0] ?? item.format ?? item.detected?.format;
  const name = formats.find((f) => f.id === id)?.name ?? id;
  return <>{name ?? (item.detectFailed ? text.imports.queue.detectFailed : text.imports.queue.unknown)}</>;
}

/** What to ask the person where the content does not tell. */
function Doubt({ item, formats, queue }: { item: Item; formats: Format[]; queue: Queue }) {
  const words = text.imports.queue;
  if (item.phase !== 'staged' || !item.detected || item.detected.format) return null;
  const candidates = item.detected.candidates.map((c) => c.id);
  const rank = (id: string) => (candidates.includes(id) ? candidates.indexOf(id) : candidates.length);
  return (
    <Stack gap={4}>
      <Text size="sm">
        {candidates.length > 0 ? words.ambiguous : sentence(item.detected.why ?? words.unknown)}
      </Text>
      {candidates.length === 0 && (
        <Text size="sm" c="dimmed">
          {words.unknownNext}
        </Text>
      )}
      <Select
        size="xs"
        maw={320}
        searchable
        clearable
        aria-label={words.format(item.name)}
        placeholder={words.choose}
        value={item.format ?? null}
        clearButtonProps={{ 'aria-label': text.shell.remove }}
        data={[...formats].sort((a, b) => rank(a.id) - rank(b.id)).map((f) => ({ value: f.id, label: f.name }))}
        onChange={(id) => queue.choose(item.id, id ?? undefined)}
      />
    </Stack>
  );
}

/** Why a report was refused: what, where, and what to do. */
function Refusal({ item, onAgain }: { item: Item; onAgain: (id: number) => void }) {
  const problem = item.problem!;
  return (
    <Stack gap={4} role="group" aria-label={`${text.imports.stage.refused}: ${item.name}`}>
      <Text size="sm">
        {sentence(problem.detail)}
      </Text>
      {problem.where && problem.where !== item.name && (
        <Text size="sm" c="dimmed">
          {problem.where}
        </Text>
      )}
      {problem.next && (
        <Text size="sm" c="dimmed">
          {sentence(problem.next)}
        </Text>
      )}
      <Group gap="sm">
        <Button size="compact-sm" variant="default" onClick={() => onAgain(item.id)}>
          {text.imports.queue.again}
        </Button>
        {problem.request_id && (
          <Text size="xs" c="dimmed">
            {text.shell.error.request} <Code>{problem.request_id}</Code>
          </Text>
        )}
      </Group>
    </Stack>
  );
}
