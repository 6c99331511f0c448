import { Badge, Table, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconBox, IconBriefcase, IconBuilding, IconChevronRight, IconPuzzle, type Icon } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { countsQuery } from '../../api/findings';
import type { Severities } from '../../api/applications';
import { number } from '../../lib/time';
import { term, terms } from '../../lib/term';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import { SeverityMark } from '../finding/Severity';
import classes from './applications.module.css';
import { filterOf, type Kind, type Node, type Row } from './tree';

export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const;
const onPhones = new Set<string>(['critical', 'high']);

const icons: Record<Kind, Icon> = { organisation: IconBuilding, businessunit: IconBriefcase, application: IconBox, service: IconPuzzle };

/** The applications as a table whose rows open. `gaps` has the number of gaps in coverage by application; null while it is unknown. */
export function ApplicationTree({ rows, gaps, onToggle }: { rows: Row[]; gaps: Map<string, number> | null; onToggle: (node: Node, open: boolean) => void }) {
  const words = text.applications;
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  return (
    <Table.ScrollContainer minWidth={300} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={5} highlightOnHover aria-label={words.title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{words.name}</Table.Th>
            {severities.map((severity) => (
              <Table.Th key={severity} scope="col" className={classNames(classes.number, !onPhones.has(severity) && classes.wide)}>
                <SeverityMark severity={severity} bare={narrow} />
              </Table.Th>
            ))}
            <Table.Th scope="col" className={classes.number}>
              {narrow ? words.openShort : words.open}
            </Table.Th>
            <Table.Th scope="col" className={classes.wide}>
              {words.coverage}
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <TreeRow key={row.node.id} row={row} gaps={gaps} onToggle={onToggle} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function TreeRow({ row: { node, level, expanded }, gaps, onToggle }: { row: Row; gaps: Map<string, number> | null; onToggle: (node: Node, open: boolean) => void }) {
  const words = text.applications;
  const name = node.name || words.noOrganisation;
  const Icon = icons[node.kind];
  // Numbers of services are asked for when they are in sight.
  const filter = filterOf(node);
  const service = useQuery({ ...countsQuery(filter ?? ''), enabled: node.kind === 'service' && filter !== null });
  const bySeverity = node.kind === 'service' ? service.data?.facets.severity : node.severities;
  const open = node.kind === 'service' ? service.data?.total : node.open;
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={node.kind === 'application' ? 550 : 450}>
        <div className={classes.name} data-level={level}>
          {expanded === null ? <span className={classes.leaf} /> : (
            <UnstyledButton className={classes.toggle} aria-expanded={expanded} aria-label={expanded ? words.collapse(name) : words.expand(name)} onClick={() => onToggle(node, !expanded)}>
              <IconChevronRight size={16} className={classes.chevron} aria-hidden />
            </UnstyledButton>
          )}
          <Tooltip label={words[node.kind]} openDelay={500}>
            <Icon size={16} aria-label={words[node.kind]} role="img" />
          </Tooltip>
          {filter !== null && (node.kind === 'application' || node.kind === 'service') ? (
            <AnchorLink inherit c="inherit" to="/findings" search={{ tab: 'all', filter }}>
              {name}
            </AnchorLink>
          ) : (
            <span>{name}</span>
          )}
          {node.gone && (
            <Badge variant="light" color="gray" size="sm" tt="none">
              {words.gone}
            </Badge>
          )}
        </div>
      </Table.Th>
      {severities.map((severity) => (
        <Table.Td key={severity} className={classNames(classes.number, !onPhones.has(severity) && classes.wide)}>
          <Amount n={bySeverity?.[severity] ?? (bySeverity ? 0 : undefined)} filter={filter && terms(filter, term('severity', severity, '='))} label={(n) => words.count(n, text.findings.severity[severity] ?? severity, name)} />
        </Table.Td>
      ))}
      <Table.Td className={classes.number}>
        <Amount n={open} filter={filter} label={(n) => words.total(n, name)} strong />
      </Table.Td>
      <Table.Td className={classes.wide}>{node.kind === 'application' && gaps && <Gaps n={gaps.get(node.name)} application={node.name} />}</Table.Td>
    </Table.Tr>
  );
}

function Amount({ n, filter, label, strong = false }: { n: number | undefined; filter: string | null; label: (n: string) => string; strong?: boolean }) {
  if (n === undefined) return <span className={classes.zero}>–</span>;
  if (n === 0) return <span className={classes.zero}>0</span>;
  const said = (
    <Text inherit span fw={strong ? 600 : undefined}>
      {number(n)}
    </Text>
  );
  if (filter === null) return said;
  return (
    <Link className={classes.cellLink} to="/findings" search={{ tab: 'all', filter }} aria-label={label(number(n))}>
      {said}
    </Link>
  );
}

function Gaps({ n, application }: { n: number | undefined; application: string }) {
  const words = text.applications;
  if (n === undefined) return null;
  return (
    <AnchorLink size="sm" c={n === 0 ? 'dimmed' : undefined} to="/coverage" search={{ app: application }}>
      {n === 0 ? words.covered : words.gaps(n)}
    </AnchorLink>
  );
}

function classNames(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(' ');
}

/** Open findings of all severities. */
export function sum(counts: Severities | undefined): number {
  return Object.values(counts ?? {}).reduce((a, b) => a + b, 0);
}
