import { Code, Stack, Table, Text } from '@mantine/core';
import type { Coverage } from '../../api/imports';
import { text } from '../../text';
import classes from './imports.module.css';

const shown = 20;

/** What a scan looked at, by whose word, and what follows from it. */
export function CoverageScope({ coverage }: { coverage: Coverage | undefined }) {
  const words = text.imports.snapshot;
  const status = coverage?.status ?? '';
  return (
    <Stack gap="sm">
      <dl className={classes.facts}>
        <dt>{words.status}</dt>
        <dd>
          {words.statuses[status] ?? status}
          {coverage?.basis && `, ${(words.bases[coverage.basis] ?? coverage.basis).toLowerCase()}`}
          <Text size="sm" c="dimmed">
            {words.statusHelp[status]}
          </Text>
        </dd>
        {coverage?.reason && (
          <>
            <dt>{words.reason}</dt>
            <dd>{coverage.reason}</dd>
          </>
        )}
      </dl>
      <Table verticalSpacing={6} aria-label={words.coverage}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{words.dimension}</Table.Th>
            <Table.Th scope="col">{words.scope}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {(['rules', 'paths', 'hosts'] as const).map((dimension) => (
            <Table.Tr key={dimension}>
              <Table.Th scope="row" fw={500}>
                {words.dimensions[dimension]}
              </Table.Th>
              <Table.Td>
                <Scope scope={coverage?.[dimension]} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}

function Scope({ scope }: { scope: Coverage['rules'] }) {
  const words = text.imports.snapshot;
  const include = scope?.include ?? [];
  const exclude = scope?.exclude ?? [];
  if (!scope?.all && include.length === 0 && exclude.length === 0) return <Text size="sm" c="dimmed">{words.notTold}</Text>;
  return (
    <Stack gap={2}>
      {scope?.all && <Text size="sm">{words.everything}</Text>}
      <Globs globs={include} />
      <Globs globs={exclude} not />
    </Stack>
  );
}

function Globs({ globs, not = false }: { globs: string[]; not?: boolean }) {
  const words = text.imports.snapshot;
  if (globs.length === 0) return null;
  return (
    <Text size="sm" component="div">
      {not && words.but('')}
      {globs.slice(0, shown).map((glob) => (
        <Code key={glob} mr={6}>
          {glob}
        </Code>
      ))}
      {globs.length > shown && words.andMore(globs.length - shown)}
    </Text>
  );
}
