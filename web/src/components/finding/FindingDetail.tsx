import { Alert, Anchor, Badge, Button, Code, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconArrowMerge, IconGavel, IconInfoCircle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { findingQuery, type FindingDetail as Detail } from '../../api/findings';
import { isEverywhere, useSession, type Session } from '../../api/session';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Markdown } from '../../ui/Markdown';
import { Decisions } from './FindingDecisions';
import { Evidence } from './FindingEvidence';
import { Facts } from './FindingFacts';
import { History } from './FindingHistory';
import { Presences } from './FindingPresences';
import { Sources } from './FindingSources';
import classes from './FindingDetail.module.css';
import { safeLink } from './links';
import { Section, SectionLevel } from './Section';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';
import { verdictOf } from './verdict';

/** A finding in full, as the panel and the page show it. The heading takes the focus when `take` is set. */
export function FindingDetail({ id, level = 2, take, onDecide, actions }: { id: string; level?: 1 | 2; take: boolean; onDecide: (id: string) => void; actions?: ReactNode }) {
  const finding = useQuery(findingQuery(id));
  const session = useSession();
  if (finding.isPending) return <Waiting />;
  if (finding.isError && !finding.data) return <Fault error={finding.error} retry={() => void finding.refetch()} />;
  return <Content key={finding.data.id} asked={id} f={finding.data} level={level} take={take} onDecide={mayDecide(session, finding.data.application) ? onDecide : null} actions={actions} />;
}

/** Whether somebody may decide about findings of an application. The server asks again. */
export function mayDecide(session: Session | null, application: string | undefined): boolean {
  const granted = session?.grants?.[application ?? ''];
  return isEverywhere(session, 'developer') || granted === 'developer' || granted === 'admin';
}

function Content({ asked, f, level, take, onDecide, actions }: { asked: string; f: Detail; level: 1 | 2; take: boolean; onDecide: ((id: string) => void) | null; actions: ReactNode }) {
  const words = text.findings;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (take) heading.current?.focus();
  }, [take]);
  const o = f.observation;
  const fixed = f.package?.fixed ?? [];
  const description = o?.description && o.description !== f.title ? o.description : '';
  const refs = (o?.refs ?? []).filter((ref) => safeLink(ref) !== null);
  return (
    <SectionLevel value={level === 1 ? 2 : 3}>
      <Stack gap="md">
        {asked !== f.id && (
          <Alert color="blue" icon={<IconArrowMerge aria-hidden />}>
            {words.detail.redirected(asked)}
          </Alert>
        )}
        <Stack gap={8}>
          <Group gap="md" justify="space-between">
            <Group gap="md">
              <SeverityMark severity={f.severity} />
              <StateBadge state={f.state} />
              {f.reopened ? <Badge variant="light" color="gray">{words.list.reopened(f.reopened)}</Badge> : null}
            </Group>
            <Group gap="xs">
              {onDecide && (
                <Button size="xs" leftSection={<IconGavel size={16} aria-hidden />} onClick={() => onDecide(f.id)}>
                  {words.panel.decide}
                </Button>
              )}
              {actions}
            </Group>
          </Group>
          <Title order={level} size="h4" ref={heading} tabIndex={-1} style={{ outline: 'none' }}>
            {f.title}
          </Title>
          <Text className={classes.sentence}>{verdictOf(f)}</Text>
        </Stack>
        <Section title={words.detail.facts}>
          <Facts f={f} />
          {o?.snippet && (
            <Stack gap={6} mt="sm">
              <Snippet snippet={o.snippet} line={o.line} />
            </Stack>
          )}
        </Section>
        <Section title={words.detail.fix}>
          <Stack gap="sm">
            {f.class === 'dependency' && <Text size="sm">{fixed.length > 0 ? words.detail.fixedIn(f.package?.name ?? '', fixed) : words.detail.noFix}</Text>}
            {o?.fix ? <Long><Markdown>{o.fix}</Markdown></Long> : f.class !== 'dependency' && <Text size="sm" c="dimmed">{words.detail.noFixText}</Text>}
          </Stack>
        </Section>
        {(description !== '' || refs.length > 0) && (
          <Section title={words.detail.description}>
            {description !== '' && <Long><Markdown>{description}</Markdown></Long>}
            <References refs={refs} />
          </Section>
        )}
        {!o && (
          <Alert color="gray" icon={<IconInfoCircle aria-hidden />}>
            {words.detail.noObservation}
          </Alert>
        )}
        <Sources f={f} onDecide={onDecide !== null} />
        <Presences f={f} />
        <Decisions f={f} onDecide={onDecide !== null} />
        <History f={f} />
        <Evidence f={f} />
        <Matched f={f} />
      </Stack>
    </SectionLevel>
  );
}

/** The code or text that the tool shows, with the numbers of its lines where it is code. */
function Snippet({ snippet, line }: { snippet: string; line: number | undefined }) {
  const lines = snippet.replace(/\n$/, '').split('\n');
  return (
    <pre className={classes.code} tabIndex={0} aria-label={text.findings.detail.snippet}>
      {lines.map((content, i) => (
        <span key={i}>
          {line ? <span className={classes.line}>{line + i}</span> : null}
          {content}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

function References({ refs }: { refs: string[] }) {
  if (refs.length === 0) return null;
  return (
    <Stack gap={2} mt="xs">
      <Text size="xs" fw={600} c="dimmed">
        {text.findings.detail.references}
      </Text>
      {refs.slice(0, 20).map((ref) => (
        <Anchor key={ref} href={safeLink(ref) ?? undefined} target="_blank" rel="noreferrer" size="sm" className={classes.mono}>
          {ref}
        </Anchor>
      ))}
    </Stack>
  );
}

/** A long text is cut until somebody wants all of it. */
function Long({ children }: { children: ReactNode }) {
  const words = text.findings.detail;
  const [all, setAll] = useState(false);
  const [tall, setTall] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const inner = box.current?.firstElementChild;
    if (!inner) return;
    const watch = new ResizeObserver(() => setTall(inner.scrollHeight > 230));
    watch.observe(inner);
    return () => watch.disconnect();
  }, []);
  return (
    <div>
      <div ref={box} className={tall && !all ? classes.cut : undefined}>
        <div>{children}</div>
      </div>
      {tall && (
        <Anchor component="button" type="button" size="sm" mt={4} onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? words.less : words.more}
        </Anchor>
      )}
    </div>
  );
}

function Matched({ f }: { f: Detail }) {
  const words = text.findings.detail;
  const passes = [...new Set(f.presences.map((p) => p.matched ?? '').filter((p) => p !== ''))];
  const merged = f.merged ?? [];
  if (passes.length + merged.length === 0) return null;
  return (
    <Section title={words.matched}>
      <Stack gap={4}>
        {passes.map((pass) => {
          const sibling = pass.startsWith('sibling ');
          const base = sibling ? pass.slice('sibling '.length) : pass;
          return (
            <Text key={pass} size="sm">
              {words.passes[base] ?? pass}
              {sibling && <> {words.sibling}</>}
            </Text>
          );
        })}
        {merged.length > 0 && <Text size="sm">{words.merged(merged)}</Text>}
        {f.observation?.tool_id && (
          <Text size="xs" c="dimmed">
            <Code>{f.observation.tool_id}</Code>
          </Text>
        )}
      </Stack>
    </Section>
  );
}

function Waiting() {
  return (
    <Stack gap="md" role="status" aria-label={text.shell.state.loading}>
      <Skeleton h={20} w={180} />
      <Skeleton h={26} w="75%" />
      <Skeleton h={44} />
      <Skeleton h={160} />
      <Skeleton h={90} />
      <Skeleton h={120} />
    </Stack>
  );
}
