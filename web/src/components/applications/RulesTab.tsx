import { Alert, Anchor, Button, Code, Group, Paper, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconExternalLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useBlocker } from '@tanstack/react-router';
import { useId, useState } from 'react';
import { ApiError } from '../../api/client';
import { rulesQuery, usePreviewRules, useSetRules } from '../../api/rules';
import { sentence } from '../../lib/sentence';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { faultLine } from './document';
import { RulesChangeView } from './RulesChangeView';
import { RulesEditor } from './RulesEditor';

const reference = 'https://github.com/sinewsec/sinew/blob/main/docs/rules.md';

/** The rules document: edited, previewed, then saved. Nothing is saved that was not previewed as it is. */
export function RulesTab() {
  const rules = useQuery(rulesQuery);
  if (rules.isError) return <Fault error={rules.error} retry={() => void rules.refetch()} />;
  if (rules.isPending) return <Skeleton height={480} radius="sm" />;
  return <Editor newest={{ document: rules.data.document, seq: rules.data.seq ?? 0 }} />;
}

interface Version {
  document: string;
  seq: number;
}

/** Edits the version that was there when it began. One that somebody else sets meanwhile is told, and never overwritten unseen. */
function Editor({ newest }: { newest: Version }) {
  const words = text.applications.rules;
  const [{ document, seq }, setBase] = useState(newest);
  const [value, setValue] = useState(document);
  const [previewed, setPreviewed] = useState<string | null>(null);
  const [jump, setJump] = useState(0);
  const status = useId();
  const preview = usePreviewRules();
  const save = useSetRules();
  const changed = value !== document;
  const overtaken = newest.seq > seq;
  useBlocker({ shouldBlockFn: () => !window.confirm(words.leave), enableBeforeUnload: changed, disabled: !changed });

  // That others were set meanwhile is told by what they are.
  const failed = preview.error ?? (overtaken ? null : save.error);
  const fault = failed instanceof ApiError ? faultLine(failed.problem.where) : null;
  const edit = (to: string) => {
    setValue(to);
    setPreviewed(null);
    if (!preview.isIdle) preview.reset();
    if (!save.isIdle) save.reset();
  };
  const load = (version: Version) => {
    setBase(version);
    edit(version.document);
  };
  const set = () => save.mutate({ document: value, base: seq }, {
    onSuccess: (done) => {
      setBase({ document: value, seq: done.seq ?? seq });
      setPreviewed(null);
    },
  });
  const show = () => preview.mutate(value, { onSuccess: () => setPreviewed(value), onError: () => setJump(jump + 1) });
  return (
    <Group align="flex-start" gap="lg" wrap="wrap">
      <Stack gap="sm" flex="1 1 480px" miw={0}>
        <Text size="sm" c="dimmed">
          {words.help}
        </Text>
        {value === '' && (
          <Alert color="gray">
            <Group justify="space-between" gap="sm">
              <Text size="sm">{words.noneYet}</Text>
              <Button size="xs" variant="default" onClick={() => edit(words.example)}>
                {words.begin}
              </Button>
            </Group>
          </Alert>
        )}
        {overtaken && (
          <Alert color="yellow" role="status" icon={<IconAlertTriangle aria-hidden />}>
            <Group justify="space-between" gap="sm">
              <Text size="sm">{words.overtaken}</Text>
              <Button size="xs" variant="default" onClick={() => load(newest)}>
                {changed ? words.overtakenDrop : words.overtakenLoad}
              </Button>
            </Group>
          </Alert>
        )}
        <RulesEditor value={value} fault={fault} jump={jump} describedBy={status} onChange={edit} />
        <Group justify="space-between" gap="sm">
          <Group gap="xs">
            <Button variant="default" disabled={!changed} loading={preview.isPending} onClick={show}>
              {words.preview}
            </Button>
            <Button disabled={!changed || overtaken || previewed !== value} loading={save.isPending} onClick={set}>
              {words.save}
            </Button>
            <Button variant="subtle" color="gray" disabled={!changed} onClick={() => edit(document)}>
              {words.revert}
            </Button>
          </Group>
          <Text size="sm" c="dimmed" id={status}>
            {!changed ? (seq > 0 ? words.version(number(seq)) : words.unchanged) : previewed === value ? words.changed : words.previewFirst}
          </Text>
        </Group>
        {failed && (fault === null ? <Fault error={failed} /> : <Wrong error={failed as ApiError} line={fault} onGo={() => setJump(jump + 1)} />)}
        {previewed === value && preview.data && (
          <Paper withBorder p="md" radius="md" component="section" aria-label={words.preview}>
            <RulesChangeView change={preview.data} />
          </Paper>
        )}
        <SavedNote moved={save.data?.moved} />
      </Stack>
      <Help />
    </Group>
  );
}

function SavedNote({ moved }: { moved: number | undefined }) {
  if (moved === undefined) return null;
  return (
    <Alert color="green" icon={<IconCheck aria-hidden />} role="status">
      {text.applications.rules.saved(moved)}
    </Alert>
  );
}

/** A fault of the document, with the way to its line. */
function Wrong({ error, line, onGo }: { error: ApiError; line: number; onGo: () => void }) {
  const words = text.applications.rules;
  return (
    <Alert color="red" role="alert" icon={<IconAlertTriangle aria-hidden />} title={words.line(line)}>
      <Stack gap={4} align="flex-start">
        <Text size="sm">{sentence(error.problem.detail)}</Text>
        {error.problem.next && (
          <Text size="sm" c="dimmed">
            {sentence(error.problem.next)}
          </Text>
        )}
        <Button size="compact-sm" variant="default" onClick={onGo}>
          {words.goto(line)}
        </Button>
      </Stack>
    </Alert>
  );
}

function Help() {
  const words = text.applications.rules;
  return (
    <Paper withBorder p="md" radius="md" component="aside" flex="0 1 360px" miw={280} aria-labelledby="globs">
      <Stack gap="xs">
        <Title order={2} size="h6" id="globs">
          {words.globs.title}
        </Title>
        <Text size="sm" c="dimmed">
          {words.globs.help}
        </Text>
        <Code block tabIndex={0} role="region" aria-label={words.globs.title}>{monorepo}</Code>
        <Table verticalSpacing={4} horizontalSpacing={0} aria-label={words.globs.title}>
          <Table.Tbody>
            {words.globs.matches.map(([glob, meaning]) => (
              <Table.Tr key={glob}>
                <Table.Th scope="row" fw={400}>
                  <Code>{glob}</Code>
                  <Text size="xs" c="dimmed">
                    {meaning}
                  </Text>
                </Table.Th>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <Anchor size="sm" href={reference} target="_blank" rel="noreferrer">
          <Group gap={4}>
            {words.reference} <IconExternalLink size={14} aria-hidden />
          </Group>
        </Anchor>
      </Stack>
    </Paper>
  );
}

const monorepo = `applications:
  - name: shop
    match: [{target: git.example.org/shop}]
    services:
      - name: checkout
        match: [{path: services/checkout}]
      - name: web
        match: [{path: web}, {path: "libs/ui/**"}]`;
