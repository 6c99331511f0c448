import { Table, Text } from '@mantine/core';
import type { Issue } from '../../api/issues';
import { text } from '../../text';

/** What one person does to mend all of it, as far as reports tell. */
export function IssueAdvice({ issue }: { issue: Issue }) {
  const words = text.issues;
  if (issue.active === 0) {
    return (
      <Text size="sm" c="dimmed">
        {words.stateHelp[issue.state]}
      </Text>
    );
  }
  if (issue.upgrade) return <UpgradeAdvice upgrade={issue.upgrade} />;
  if (issue.base_image) {
    const { image, names, more, fixable, of } = issue.base_image;
    return (
      <>
        <Text fw={550} style={{ overflowWrap: 'anywhere' }}>
          {words.base(image)}
        </Text>
        {names && names.length > 0 && <Text size="sm">{words.baseNames(names, more ?? false)}</Text>}
        <Text size="sm" c="dimmed">
          {words.baseFixable(fixable, of)}
        </Text>
      </>
    );
  }
  return (
    <>
      {issue.title && <Text fw={550}>{issue.title}</Text>}
      <Text size="sm" c="dimmed">
        {words.how[issue.kind] ?? words.tooMany}
      </Text>
    </>
  );
}

function UpgradeAdvice({ upgrade }: { upgrade: NonNullable<Issue['upgrade']> }) {
  const words = text.issues;
  return (
    <>
      <Text fw={550} style={{ overflowWrap: 'anywhere' }}>
        {upgrade.to ? words.upgradeTo(upgrade.package, upgrade.to) : words.noUpgrade}
      </Text>
      {upgrade.to && (
        <Text size="sm" c="dimmed">
          {words.closesOf(upgrade.closes, upgrade.of)}
        </Text>
      )}
      {upgrade.unfixed ? (
        <Text size="sm" c="dimmed">
          {words.unfixed(upgrade.unfixed)}
        </Text>
      ) : null}
      {upgrade.installed && (
        <Table verticalSpacing={4} aria-label={words.installed}>
          <Table.Thead>
            <Table.Tr>
              {[words.installedVersion, words.installedTo, words.installedCloses].map((name) => (
                <Table.Th key={name} scope="col">
                  {name}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {upgrade.installed.map((v) => (
              <Table.Tr key={v.version}>
                <Table.Th scope="row" fw={500}>
                  {v.version || words.notTold}
                </Table.Th>
                <Table.Td>{v.to || '–'}</Table.Td>
                <Table.Td>{words.of(v.closes, v.of)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}
