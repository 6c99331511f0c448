import { Stack, Text } from '@mantine/core';
import type { ImportInfo } from '../../api/imports';
import { number } from '../../lib/time';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import classes from './imports.module.css';
import { outcome, reasons, type Part } from './outcome';

/** What an import changed in one line, each part a link to its findings. */
export function OutcomeLine({ info }: { info: ImportInfo }) {
  const words = text.imports.result;
  const parts = outcome(info);
  if (!info.result) return <Text size="sm" c="dimmed">{text.imports.recent.pending}</Text>;
  if (parts.length === 0) return <Text size="sm" c="dimmed">{words.nothing}</Text>;
  return (
    <ul className={classes.numbers} aria-label={words.label}>
      {parts.map((part) => (
        <li key={part.change}>
          <OutcomePart part={part} />
        </li>
      ))}
    </ul>
  );
}

function OutcomePart({ part }: { part: Part }) {
  const said = (
    <>
      <b>{number(part.n)}</b> {text.imports.result[part.change]}
    </>
  );
  if (!part.filter) return <Text span inherit c="dimmed">{said}</Text>;
  return (
    <AnchorLink inherit to="/findings" search={{ tab: 'all', filter: part.filter }}>
      {said}
    </AnchorLink>
  );
}

/** Whose word closed findings, why missing ones stay open, and what else to know. */
export function OutcomeNotes({ info, omitNotes = false }: { info: ImportInfo; omitNotes?: boolean }) {
  const words = text.imports.result;
  const result = info.result;
  const why = reasons(result);
  const said = [
    info.duplicate && words.duplicate,
    result?.same && words.same,
    result?.late && words.late,
    result?.horizon && words.horizon,
    result?.fixed?.proven && words.proven(result.fixed.proven),
    result?.fixed?.declared && words.declared(result.fixed.declared),
    ...(omitNotes ? [] : [...(result?.notes ?? []), ...(info.notes ?? [])]),
  ].filter((s) => typeof s === 'string' && s !== '') as string[];
  if (why.length === 0 && said.length === 0) return null;
  return (
    <Stack gap={4}>
      {said.map((s, i) => (
        <Text key={i} size="sm" c="dimmed">
          {s}
        </Text>
      ))}
      {why.length > 0 && (
        <div>
          <Text size="sm">{words.why}</Text>
          <ul className={classes.reasons}>
            {why.map(([reason, n]) => (
              <li key={reason}>
                {reason} ({words.reasons(n)})
              </li>
            ))}
          </ul>
          {result?.not_observed !== undefined && info.coverage?.status !== 'failed' && info.coverage?.basis !== 'declared' && (
            <Text size="sm" c="dimmed" mt={4}>
              {text.imports.missing.coverage}
            </Text>
          )}
        </div>
      )}
    </Stack>
  );
}
