import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { MatrixTab } from '../../components/coverage/MatrixTab';
import { StreamsTab } from '../../components/coverage/StreamsTab';
import { text } from '../../text';
import { Page } from '../../ui/Page';

/** What was tested, when, and what is missing; and every stream that tells. */
export function CoveragePage() {
  const words = text.coverage;
  const { tab } = useSearch({ from: '/coverage' });
  const navigate = useNavigate({ from: '/coverage' });
  return (
    <Page title={words.title}>
      <Tabs
        value={tab === 'streams' ? 'streams' : 'matrix'}
        // The gap of one tab is not that of the other.
        onChange={(to) => void navigate({ search: (was) => ({ app: was.app, tab: to === 'streams' ? 'streams' : undefined }) })}
        keepMounted={false}
      >
        <Tabs.List aria-label={words.tabs.label} mb="md">
          <Tabs.Tab value="matrix">{words.tabs.matrix}</Tabs.Tab>
          <Tabs.Tab value="streams">{words.tabs.streams}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="matrix">
          <MatrixTab />
        </Tabs.Panel>
        <Tabs.Panel value="streams">
          <StreamsTab />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
