import { Badge, Group, Stack, Table, Text, Title } from '@mantine/core';
import type { RulesChange } from '../../api/rules';
import { number } from '../../lib/time';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import classes from './applications.module.css';

/** What other rules would change: applications, numbers, and some findings that move. */
export function RulesChangeView({ change }: { change: RulesChange }) {
  const words = text.applications.rules;
  return (
    <Stack gap="md">
      <Text size="sm" fw={600} role="status">
        {change.moved === 0 ? words.movesNone : words.moves(change.moved)}
      </Text>
      <Names title={words.added} names={change.added} />
      <Names title={words.removed} names={change.removed} help={words.removedHelp} />
      {change.findings.length > 0 && <Numbers change={change} />}
      {change.samples.length > 0 && <Samples change={change} />}
    </Stack>
  );
}

function Names({ title, names, help }: { title: string; names: string[]; help?: string }) {
  if (names.length === 0) return null;
  return (
    <Stack gap={4}>
      <Group gap={6}>
        <Text size="sm">{title}</Text>
        {names.map((name) => (
          <Badge key={name} variant="default" tt="none">
            {name}
          </Badge>
        ))}
      </Group>
      {help && (
        <Text size="xs" c="dimmed">
          {help}
        </Text>
      )}
    </Stack>
  );
}

function Numbers({ change }: { change: RulesChange }) {
  const words = text.applications.rules;
  return (
    <div>
      <Title order={3} size="h6">
        {words.perApplication}
      </Title>
      <Table verticalSpacing={4} aria-label={words.perApplication}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{text.applications.application}</Table.Th>
            {[words.before, words.after, words.difference].map((name) => (
              <Table.Th key={name} scope="col" className={classes.number}>
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {change.findings.map((one) => (
            <Table.Tr key={one.application}>
              <Table.Th scope="row" fw={500}>
                {one.application || text.applications.unassigned}
              </Table.Th>
              <Table.Td className={classes.number}>{number(one.before)}</Table.Td>
              <Table.Td className={classes.number}>{number(one.after)}</Table.Td>
              <Table.Td className={classes.number}>{signed(one.after - one.before)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Samples({ change }: { change: RulesChange }) {
  const words = text.applications.rules;
  const named = (place: string) => place || text.applications.unassigned;
  return (
    <div>
      <Title order={3} size="h6">
        {words.samples}
      </Title>
      <Table verticalSpacing={4} aria-label={words.samples}>
        <Table.Thead>
          <Table.Tr>
            {[words.sampleFinding, words.from, words.to].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {change.samples.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Th scope="row" fw={400}>
                <AnchorLink inherit to="/findings/$id" params={{ id: one.id }}>
                  {one.title}
                </AnchorLink>
              </Table.Th>
              <Table.Td>{named(one.from)}</Table.Td>
              <Table.Td>{named(one.to)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function signed(n: number): string {
  return n > 0 ? `+${number(n)}` : number(n);
}
