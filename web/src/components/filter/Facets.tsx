import { ActionIcon, Checkbox, Skeleton, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconMinus } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { useState } from 'react';
import { countsQuery } from '../../api/findings';
import { both, chosen, exclude, terms, toggle, without } from '../../lib/filter';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { SeverityMark } from '../finding/Severity';
import { facets, facetValues, type FacetField, type FacetValue } from './facets';
import classes from './Facets.module.css';

/**
 * How the findings divide, and a click to ask for a part. The numbers of a facet
 * leave its own field out of the filter, so that one sees what else there is.
 */
export function Facets({ filter, base, apply }: { filter: string; base: string; apply: (filter: string) => void }) {
  const words = text.findings.facets;
  const asked = facets.map(({ field }) => both(chosen(filter, field).size > 0 ? without(filter, field) : filter, base));
  const distinct = [...new Set(asked)];
  const results = useQueries({ queries: distinct.map((f) => countsQuery(f)) });
  const failed = results.find((r) => r.isError);
  if (failed) return <Fault error={failed.error} retry={() => void failed.refetch()} />;
  return (
    <Stack gap="md">
      {facets.map(({ field, dimension }, i) => {
        const counts = results[distinct.indexOf(asked[i]!)]?.data;
        return (
          <fieldset key={field} className={classes.facet}>
            <legend className={classes.legend}>{words[field]}</legend>
            {counts ? <Values field={field} values={facetValues(field, counts.facets[dimension], filter)} filter={filter} apply={apply} capped={counts.capped ?? false} /> : <Waiting />}
          </fieldset>
        );
      })}
      {!asksForStates(both(filter, base)) && (
        <Text size="xs" c="dimmed">
          {words.active}
        </Text>
      )}
      {results.some((r) => r.data?.capped) && (
        <Text size="xs" c="dimmed">
          {words.capped}
        </Text>
      )}
    </Stack>
  );
}

function asksForStates(filter: string): boolean {
  return terms(filter).some((t) => t.field === 'is');
}

const few = 6;
const many = 100;

function Values({ field, values, filter, apply, capped }: { field: FacetField; values: FacetValue[]; filter: string; apply: (filter: string) => void; capped: boolean }) {
  const words = text.findings.facets;
  const [all, setAll] = useState(false);
  if (values.length === 0) {
    return (
      <Text size="xs" c="dimmed">
        {words.empty}
      </Text>
    );
  }
  const shown = values.filter((v, i) => i < (all ? many : few) || v.chosen);
  return (
    <>
      {shown.map((v) => (
        <div key={v.asked} className={classes.value}>
          <Checkbox size="xs" radius="sm" checked={v.chosen} onChange={() => apply(toggle(filter, field, v.asked))} label={<Label field={field} value={v.value} />} classNames={{ root: classes.box, body: classes.body, labelWrapper: classes.label, label: classes.label }} />
          <ActionIcon className={classes.exclude} variant="subtle" color="gray" size="xs" aria-label={words.exclude(label(field, v.value))} title={words.exclude(label(field, v.value))} onClick={() => apply(exclude(filter, field, v.asked))}>
            <IconMinus size={12} />
          </ActionIcon>
          <span className={classes.count}>{capped && v.count > 0 ? text.shell.capped(number(v.count)) : number(v.count)}</span>
        </div>
      ))}
      {values.length > few && (
        <UnstyledButton className={classes.more} onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? words.fewer : words.more(Math.min(values.length, many) - few)}
        </UnstyledButton>
      )}
    </>
  );
}

function Label({ field, value }: { field: FacetField; value: string }) {
  if (field === 'severity') return <SeverityMark severity={value} />;
  return (
    <span className={classes.name} title={label(field, value)}>
      {label(field, value)}
    </span>
  );
}

function label(field: FacetField, value: string): string {
  const words = text.findings;
  switch (field) {
    case 'severity':
      return words.severity[value] ?? value;
    case 'is':
      return words.state[value] ?? value;
    case 'class':
      return words.class[value] ?? value;
    case 'app':
      return value === '' ? words.unassigned : value;
    default:
      return value;
  }
}

function Waiting() {
  return (
    <Stack gap={10} py={4}>
      {[70, 85, 55].map((w) => (
        <Skeleton key={w} h={12} w={`${w}%`} />
      ))}
    </Stack>
  );
}
