import { Alert, Button, Group, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { IconArrowLeft, IconDownload, IconListDetails } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { reportAddress, snapshotQuery, type ImportInfo } from '../../api/imports';
import { isEverywhere, useSession } from '../../api/session';
import { CoverageScope } from '../../components/imports/CoverageScope';
import { OutcomeLine, OutcomeNotes } from '../../components/imports/Outcome';
import { scanFilter } from '../../components/imports/outcome';
import classes from '../../components/imports/imports.module.css';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Card } from '../../ui/Card';
import { Copyable } from '../../ui/Copyable';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

/** One import: what the report is, what the scan covered, and what it changed. */
export function SnapshotPage() {
  const words = text.imports.snapshot;
  const { id } = useParams({ from: '/import/$id' });
  const found = useQuery(snapshotQuery(id));
  const info = found.data;
  return (
    <Page
      title={info ? words.title(info.report || words.unnamed) : text.imports.title}
      actions={
        info && (
          <>
            <Button size="sm" variant="default" leftSection={<IconDownload size={16} aria-hidden />} component="a" href={reportAddress(id)} download title={words.downloadHint}>
              {words.download}
            </Button>
            <ButtonLink size="sm" leftSection={<IconListDetails size={16} aria-hidden />} to="/findings" search={{ tab: 'all', filter: scanFilter(info) }}>
              {words.findings}
            </ButtonLink>
          </>
        )
      }
    >
      <AnchorLink size="sm" to="/import" w="fit-content">
        <Group gap={4}>
          <IconArrowLeft size={16} aria-hidden /> {words.back}
        </Group>
      </AnchorLink>
      {found.isError ? <Fault error={found.error} retry={() => void found.refetch()} /> : info ? <Told info={info} /> : <Waiting />}
    </Page>
  );
}

function Told({ info }: { info: ImportInfo }) {
  const words = text.imports.snapshot;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Stack gap="md">
        <Card title={words.result}>
          {info.state === 'accepted' ? <Alert color="cyan" role="status">{words.waiting}</Alert> : (
            <Stack gap="xs">
              <OutcomeLine info={info} />
              <OutcomeNotes info={info} omitNotes />
              <Text size="xs" c="dimmed">{text.imports.result.shown}</Text>
            </Stack>
          )}
        </Card>
        <Card title={words.coverage}>
          <CoverageScope coverage={info.coverage} />
        </Card>
        <Notes info={info} />
      </Stack>
      <Card title={words.facts}>
        <Facts info={info} />
      </Card>
    </SimpleGrid>
  );
}

function Facts({ info }: { info: ImportInfo }) {
  const words = text.imports.snapshot;
  const everywhere = isEverywhere(useSession(), 'admin');
  const facts: [string, ReactNode][] = [
    [words.tool, [info.tool_name || info.stream?.tool, info.tool_version].filter(Boolean).join(' ')],
    [words.format, info.format],
    [words.target, info.stream?.target],
    [words.ref, info.stream?.ref],
    [words.label, info.stream?.label],
    [words.source, info.stream?.source],
    [words.commit, info.commit && <Copyable value={info.commit} />],
    [words.digest, info.digest && <Copyable value={info.digest} />],
    [words.mode, info.mode && (words.modes[info.mode] ?? info.mode)],
    [words.observations, number(info.observations)],
    [words.at, info.at && <Time at={info.at} />],
    [words.received, info.received && <Time at={info.received} />],
    [words.seq, everywhere ? <AnchorLink inherit to="/log" search={{ entry: String(info.seq) }}>{number(info.seq)}</AnchorLink> : number(info.seq)],
  ];
  return (
    <dl className={classes.facts}>
      {facts.filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => (
        <div key={name} className={classes.fact}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Notes({ info }: { info: ImportInfo }) {
  const words = text.imports.snapshot;
  const notes = [...(info.notes ?? []), ...(info.result?.notes ?? []), ...(info.result?.remapped ? [words.remapped(info.result.remapped.mapping)] : [])];
  if (notes.length === 0) return null;
  return (
    <Card title={words.notes}>
      <ul className={classes.reasons}>
        {notes.map((note, i) => (
          <li key={i}>{note}</li>
        ))}
      </ul>
    </Card>
  );
}

function Waiting() {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md" aria-hidden>
      <Stack gap="md">
        <Skeleton height={110} radius="md" />
        <Skeleton height={240} radius="md" />
      </Stack>
      <Skeleton height={366} radius="md" />
    </SimpleGrid>
  );
}
