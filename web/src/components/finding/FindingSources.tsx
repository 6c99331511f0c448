import { Alert, Badge, Button, Group, Menu, Stack, Text } from '@mantine/core';
import { IconArrowMerge, IconArrowsSplit, IconChevronDown } from '@tabler/icons-react';
import { useState } from 'react';
import type { Cluster, Link } from '../../api/dedup';
import type { Finding, FindingDetail } from '../../api/findings';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import classes from './FindingDetail.module.css';
import { LinkDialog } from './LinkDialog';
import { locationOf } from './location';
import { Section } from './Section';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';

/** What other streams tell of the same problem, why it is the same, and how to tell them apart. */
export function Sources({ f, onDecide }: { f: FindingDetail; onDecide: boolean }) {
  const words = text.dedup;
  const [link, setLink] = useState<{ link: Link; about: string } | null>(null);
  const cluster = f.cluster;
  if (!cluster) return null;
  const others = (m: Finding) => cluster.members.filter((o) => o.id !== m.id);
  const different = (m: Finding) =>
    setLink({ link: { kind: 'different', findings: [m.id, ...others(m).map((o) => o.id)] }, about: words.dialog.about.different(m.tool) });
  const never = (m: Finding, o: Finding) => setLink({ link: { kind: 'never', findings: [m.id, o.id] }, about: words.dialog.about.never(ruleOf(m), ruleOf(o)) });
  return (
    <Section title={words.title(cluster.members.length)}>
      <Stack gap="sm">
        {f.part_of && (
          <Alert color="blue" icon={<IconArrowMerge aria-hidden />}>
            {words.partOf} <AnchorLink to="/findings/$id" params={{ id: f.part_of }}>{words.openLead}</AnchorLink>
          </Alert>
        )}
        <ul className={classes.sources} aria-label={words.table}>
          {cluster.members.map((m) => (
            <li key={m.id} className={classes.source}>
              <Stack gap={2} miw={0}>
                <Group gap="xs">
                  <Text component="span" size="sm" fw={600}>
                    {m.tool}
                  </Text>
                  <SeverityMark severity={m.severity} />
                  <StateBadge state={m.state} />
                  {m.id === cluster.lead && (
                    <Badge size="sm" variant="light" tt="none">
                      {words.shown}
                    </Badge>
                  )}
                </Group>
                {m.id === f.id ? <Text size="sm">{m.title}</Text> : <AnchorLink to="/findings/$id" params={{ id: m.id }} size="sm">{m.title}</AnchorLink>}
                <Text size="xs" c="dimmed" className={classes.mono}>
                  {[m.rule, locationOf(m)].filter(Boolean).join(' · ')}
                </Text>
              </Stack>
              {onDecide && (
                <Menu position="bottom-end" width={300}>
                  <Menu.Target>
                    <Button size="compact-xs" variant="default" leftSection={<IconArrowsSplit size={14} aria-hidden />} rightSection={<IconChevronDown size={12} aria-hidden />} aria-label={`${words.separate}: ${m.tool}`}>
                      {words.separate}
                    </Button>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Item onClick={() => different(m)}>{words.separateOne(m.tool)}</Menu.Item>
                    {others(m).map((o) => (
                      <Menu.Item key={o.id} onClick={() => never(m, o)}>
                        {words.never(ruleOf(m), ruleOf(o))}
                      </Menu.Item>
                    ))}
                  </Menu.Dropdown>
                </Menu>
              )}
            </li>
          ))}
        </ul>
        <Why cluster={cluster} />
      </Stack>
      <LinkDialog about={link} onClose={() => setLink(null)} />
    </Section>
  );
}

function ruleOf(f: Finding): string {
  return f.rule ? `${f.tool} ${f.rule}` : f.tool;
}

/** Every join: its rule, and the fields that it compared with what both say. */
function Why({ cluster }: { cluster: Cluster }) {
  const words = text.dedup;
  const toolOf = (id: string) => cluster.members.find((m) => m.id === id)?.tool ?? id;
  return (
    <Stack gap={6}>
      <Text size="xs" fw={600} c="dimmed">
        {words.why}
      </Text>
      {cluster.joins.map((j) => (
        <div key={`${j.a} ${j.b}`}>
          <Text size="sm">
            {words.of(toolOf(j.a), toolOf(j.b))}: {j.rule}
          </Text>
          <dl className={classes.facts}>
            {j.fields.map((field) => (
              <div key={field.field} style={{ display: 'contents' }}>
                <dt>{field.field}</dt>
                <dd className={classes.mono}>{field.b ? words.both(field.a || words.untold, field.b) : field.a}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </Stack>
  );
}
