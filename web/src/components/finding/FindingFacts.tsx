import { Anchor, Badge, Group } from '@mantine/core';
import type { ReactNode } from 'react';
import type { FindingDetail } from '../../api/findings';
import { quote } from '../../lib/filter';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import { CopyButton } from '../../ui/CopyButton';
import { Time } from '../../ui/Time';
import classes from './FindingDetail.module.css';
import { idLink } from './links';
import { componentOf } from './location';

/** What is known of a finding at a glance; values that others share lead to the list of those. */
export function Facts({ f }: { f: FindingDetail }) {
  const words = text.findings.detail;
  const o = f.observation;
  const ids = [...(f.ids ?? []), ...(f.cwe ?? []).map((n) => `CWE-${n}`)];
  const endpoint = [f.endpoint?.method, f.endpoint?.url].filter(Boolean).join(' ');
  const resource = [f.resource?.type, f.resource?.name, f.resource?.id].filter(Boolean).join(' ');
  const theirs = o?.tool_severity;
  return (
    <dl className={classes.facts}>
      {theirs && theirs.toLowerCase() !== f.severity && <Fact name={words.severity}>{words.severityOf(text.findings.severity[f.severity] ?? f.severity, theirs)}</Fact>}
      {f.file && (
        <Fact name={words.location}>
          <span className={classes.mono}>
            {f.file}
            {f.line ? `:${f.line}` : ''}
          </span>{' '}
          <CopyButton value={f.line ? `${f.file}:${f.line}` : f.file} label={text.shell.error.copy} />
        </Fact>
      )}
      {o?.symbol && <Fact name={words.symbol}><span className={classes.mono}>{o.symbol}</span></Fact>}
      {f.package && <Fact name={words.component}><span className={classes.mono}>{f.package.purl || componentOf(f)}</span></Fact>}
      {resource && <Fact name={words.resource}><span className={classes.mono}>{resource}</span></Fact>}
      {endpoint && (
        <Fact name={words.endpoint}>
          <span className={classes.mono}>{endpoint}</span>
          {f.endpoint?.param && <>, {words.parameter(f.endpoint.param)}</>}
        </Fact>
      )}
      {f.image && <Fact name={words.image}><span className={classes.mono}>{f.image}</span></Fact>}
      {f.host && <Fact name={words.host}><span className={classes.mono}>{f.host}</span></Fact>}
      {ids.length > 0 && (
        <Fact name={words.ids}>
          <Group gap="xs">
            {ids.map((id) => {
              const href = idLink(id);
              return href ? (
                <Anchor key={id} href={href} target="_blank" rel="noreferrer" size="sm">
                  {id}
                </Anchor>
              ) : (
                <span key={id}>{id}</span>
              );
            })}
          </Group>
        </Fact>
      )}
      {(o?.cvss ?? []).length > 0 && (
        <Fact name={words.cvss}>
          {o!.cvss!.map((c) => [c.score, c.version && `v${c.version}`, c.vector].filter(Boolean).join(' ')).join('; ')}
        </Fact>
      )}
      {f.rule && <Fact name={words.rule}><Others filter={`rule:==${quote(f.rule)}`} mono>{f.rule}</Others></Fact>}
      <Fact name={words.tool}><Others filter={`tool:${quote(f.tool)}`}>{f.tool}</Others></Fact>
      <Fact name={words.application}>
        <Others filter={f.application ? `app:${quote(f.application)}` : 'app:none'}>{f.application ?? text.findings.unassigned}</Others>
        {f.service && <> / {f.service}</>}
      </Fact>
      <Fact name={words.target}><Others filter={`target:==${quote(f.target)}`} mono>{f.target}</Others></Fact>
      {f.owner && <Fact name={words.owner}><Others filter={`owner:==${quote(f.owner)}`}>{f.owner}</Others></Fact>}
      <Fact name={words.firstSeen}><Time at={f.first_seen} /></Fact>
      <Fact name={words.lastSeen}><Time at={f.last_seen} /></Fact>
      {f.reopened ? <Fact name={words.reopened}>{words.times(f.reopened)}</Fact> : null}
      {(o?.tags ?? []).length > 0 && (
        <Fact name={words.tags}>
          <Group gap={4}>
            {o!.tags!.slice(0, 20).map((tag) => (
              <Badge key={tag} size="sm" variant="default" tt="none" fw={400}>
                {tag}
              </Badge>
            ))}
          </Group>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Others({ filter, mono, children }: { filter: string; mono?: boolean; children: string }) {
  return (
    <AnchorLink to="/findings" search={{ tab: 'all', filter }} size="sm" underline="always" className={mono ? classes.mono : undefined}>
      {children}
    </AnchorLink>
  );
}
