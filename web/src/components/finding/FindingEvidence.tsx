import { Anchor, Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { evidenceQuery, reportAddress, type FindingDetail } from '../../api/findings';
import { bytes } from '../../lib/time';
import { text } from '../../text';
import { CopyButton } from '../../ui/CopyButton';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { Time } from '../../ui/Time';
import classes from './FindingDetail.module.css';
import { Section } from './Section';

/** The report that a finding was read from, and the very rows of it. */
export function Evidence({ f }: { f: FindingDetail }) {
  const words = text.findings.detail;
  const [shown, setShown] = useState(false);
  const e = f.evidence;
  if (!e) {
    return (
      <Section title={words.evidence}>
        <Text size="sm" c="dimmed">
          {words.noEvidence}
        </Text>
      </Section>
    );
  }
  return (
    <Section
      title={words.evidence}
      action={
        !e.deleted && (
          <Anchor href={reportAddress(e.snapshot)} download size="sm">
            <Group gap={4} component="span">
              <IconDownload size={16} aria-hidden />
              {words.download}
            </Group>
          </Anchor>
        )
      }
    >
      <Stack gap="sm">
        <dl className={classes.facts}>
          <dt>{words.snapshot}</dt>
          <dd>
            <AnchorLink to="/import/$id" params={{ id: e.snapshot }} size="sm">
              {e.report || e.snapshot}
            </AnchorLink>{' '}
            <span className={classes.dim}>{bytes(e.bytes)}</span>
          </dd>
          <dt>{words.digest}</dt>
          <dd>
            <span className={classes.mono}>{e.digest.slice(0, 16)}…</span> <CopyButton value={e.digest} label={text.shell.error.copy} />
          </dd>
        </dl>
        {e.deleted ? (
          <Text size="sm">
            {words.deleted} <Time at={e.deleted} />
          </Text>
        ) : shown ? (
          <Excerpt id={f.id} />
        ) : (
          <Group>
            <Button size="xs" variant="default" onClick={() => setShown(true)}>
              {words.show}
            </Button>
          </Group>
        )}
      </Stack>
    </Section>
  );
}

function Excerpt({ id }: { id: string }) {
  const words = text.findings.detail;
  const evidence = useQuery(evidenceQuery(id));
  if (evidence.isPending) return <Skeleton h={140} />;
  if (evidence.isError) return <Fault error={evidence.error} retry={() => void evidence.refetch()} />;
  const e = evidence.data;
  const excerpt = e.excerpt ?? '';
  if (excerpt === '') return <Text size="sm" c="dimmed">{e.deleted ? words.deleted : words.noEvidence}</Text>;
  return (
    <Stack gap={6}>
      <Group justify="space-between">
        <Text size="xs" c="dimmed">
          {words.redacted}
        </Text>
        <CopyButton value={excerpt} label={text.shell.error.copy} />
      </Group>
      <pre className={classes.code} tabIndex={0} aria-label={words.excerpt}>
        {excerpt}
      </pre>
      {e.truncated && (
        <Text size="xs" c="dimmed">
          {words.truncated}
        </Text>
      )}
    </Stack>
  );
}
