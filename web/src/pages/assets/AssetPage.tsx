import { Anchor, Badge, Group, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { assetQuery, type AssetDetail, type AssetFact } from '../../api/assets';
import { streamsQuery } from '../../api/streams';
import classes from '../../components/assets/assets.module.css';
import { FindingsOn } from '../../components/assets/FindingsOn';
import { RelationsOf } from '../../components/assets/RelationsOf';
import { text } from '../../text';
import { Card } from '../../ui/Card';
import { CopyButton } from '../../ui/CopyButton';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

/** One asset: what each source says of it, what it is related to, and what is wrong with it. */
export function AssetPage() {
  const words = text.assets;
  const { id } = useParams({ from: '/assets/$id' });
  const found = useQuery(assetQuery(id));
  const asset = found.data;
  return (
    <Page title={asset?.key ?? words.title} actions={asset && <CopyButton value={asset.key} label={words.copyKey} />}>
      <Stack gap="xs">
        <AnchorLink size="sm" to="/assets" w="fit-content">
          <Group gap={4}>
            <IconArrowLeft size={16} aria-hidden /> {words.back}
          </Group>
        </AnchorLink>
        {asset && (
          <Group gap="xs">
            <Badge variant="light" color="gray" tt="none">
              {words.kinds[asset.kind] ?? asset.kind}
            </Badge>
            <Text size="sm" c="dimmed">
              {asset.application || words.unassigned}
            </Text>
            {asset.ended && (
              <Text size="sm" c="dimmed">
                {words.ended} <Time at={asset.ended} />
              </Text>
            )}
          </Group>
        )}
      </Stack>
      {found.isError ? <Fault error={found.error} retry={() => void found.refetch()} /> : asset ? <Told key={asset.id} asset={asset} /> : <Waiting />}
    </Page>
  );
}

function Told({ asset }: { asset: AssetDetail }) {
  const words = text.assets;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Stack gap="md">
        <Card title={words.findings}>
          <FindingsOn asset={asset} />
        </Card>
        <Card title={words.facts}>
          {asset.facts.length === 0 ? (
            <Text size="sm" c="dimmed">
              {words.factsEmpty}
            </Text>
          ) : (
            asset.facts.map((fact) => <Fact key={fact.stream} fact={fact} />)
          )}
        </Card>
      </Stack>
      <Card title={words.relations}>
        <RelationsOf relations={asset.relations} />
      </Card>
    </SimpleGrid>
  );
}

/** What one stream says of the asset. */
function Fact({ fact }: { fact: AssetFact }) {
  const words = text.assets;
  const stream = useQuery(streamsQuery).data?.find((s) => s.id === fact.stream);
  const facts: [string, ReactNode][] = [
    [words.name, fact.name],
    [words.type, fact.subtype],
    ...Object.entries(fact.props ?? {}).sort(([a], [b]) => a.localeCompare(b)).map(([name, value]): [string, ReactNode] => [name, address(value) ?? value]),
    [words.seen, <Time key="at" at={fact.at} />],
    [words.known, <Time key="known" at={fact.known_at} />],
  ];
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        {stream?.snapshot ? (
          <AnchorLink inherit to="/import/$id" params={{ id: stream.snapshot }}>
            {[stream.tool, stream.label && `(${stream.label})`].filter(Boolean).join(' ')}
          </AnchorLink>
        ) : (
          (stream?.tool ?? words.stream)
        )}
        {stream && (
          <Text span inherit c="dimmed" fw={400}>
            {' '}
            {stream.target}
            {stream.ref && ` @ ${stream.ref}`}
          </Text>
        )}
      </Title>
      <dl className={classes.props}>
        {facts.filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => (
          <div key={name} className={classes.prop}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** A link, where a property is an address of the web. */
function address(value: string): ReactNode {
  if (!/^https?:\/\/\S+$/i.test(value) || !URL.canParse(value)) return null;
  return (
    <Anchor inherit href={value} target="_blank" rel="noreferrer">
      {value}
    </Anchor>
  );
}

function Waiting() {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md" aria-hidden>
      <Stack gap="md">
        <Skeleton height={150} radius="md" />
        <Skeleton height={200} radius="md" />
      </Stack>
      <Skeleton height={366} radius="md" />
    </SimpleGrid>
  );
}
