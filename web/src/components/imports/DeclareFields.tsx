import { Anchor, Autocomplete, Button, Collapse, Group, SegmentedControl, SimpleGrid, Stack, TagsInput, Text, TextInput, Title } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { applicationsQuery } from '../../api/applications';
import { streamsQuery } from '../../api/streams';
import { text } from '../../text';
import { blank, empty, further, valid, type Form } from './declared';

/** What the sender says of his reports. Coverage is always in sight: it decides what is closed. */
export function DeclareFields({ form, prefilled, onChange }: { form: Form; prefilled: boolean; onChange: (form: Form) => void }) {
  const words = text.imports.declare;
  const applications = useQuery(applicationsQuery).data ?? [];
  const streams = useQuery(streamsQuery).data ?? [];
  const [more, setMore] = useState(() => further.some((name) => form[name].length > 0));
  const coverageLabel = useId();
  const moreId = useId();
  const set = <K extends keyof Form>(name: K) => (value: Form[K]) => onChange({ ...form, [name]: value });
  const line = (name: 'commit' | 'digest' | 'environment' | 'label' | 'source' | 'base' | 'path_prefix' | 'strip_prefix', label: string, description?: string) => (
    <TextInput size="sm" label={label} description={description} inputWrapperOrder={order} value={form[name]} maxLength={1000} spellCheck={false} autoCapitalize="none" onChange={(e) => set(name)(e.currentTarget.value)} />
  );
  const list = (name: 'rules' | 'paths' | 'hosts', label: string) => (
    <TagsInput size="sm" label={label} description={words.globs} inputWrapperOrder={order} value={form[name]} maxTags={1000} clearable clearButtonProps={{ 'aria-label': text.shell.remove }} onChange={set(name)} />
  );
  const service = applications.find((a) => a.name === form.application)?.services ?? [];
  return (
    <Stack gap="sm" component="section" aria-labelledby={`${coverageLabel}-title`}>
      <Group justify="space-between" gap="xs">
        <div>
          <Title order={2} size="h5" id={`${coverageLabel}-title`}>
            {words.title}
          </Title>
          <Text size="sm" c="dimmed">
            {words.hint} {prefilled && words.remembered}
          </Text>
        </div>
        {!empty(form) && (
          <Anchor component="button" type="button" size="sm" onClick={() => onChange(blank)}>
            {words.forget}
          </Anchor>
        )}
      </Group>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="sm">
        <Autocomplete size="sm" label={words.application} placeholder={words.byRules} data={applications.filter((a) => !a.gone).map((a) => a.name)} value={form.application} maxLength={200} limit={50} onChange={set('application')} />
        <Autocomplete size="sm" label={words.target} placeholder={words.targetHint} data={distinct(streams.map((s) => s.target))} value={form.target} maxLength={1000} limit={50} spellCheck={false} autoCapitalize="none" onChange={set('target')} />
        <Autocomplete size="sm" label={words.ref} placeholder={words.refHint} data={distinct(streams.filter((s) => !form.target || s.target === form.target).map((s) => s.ref ?? ''))} value={form.ref} maxLength={1000} limit={50} spellCheck={false} autoCapitalize="none" onChange={set('ref')} />
      </SimpleGrid>
      <Stack gap={4}>
        <Text size="sm" fw={500} id={coverageLabel}>
          {words.coverage}
        </Text>
        <SegmentedControl
          aria-labelledby={coverageLabel}
          size="sm"
          value={form.coverage}
          onChange={(value) => set('coverage')(value)}
          data={(['', 'complete', 'partial', 'failed'] as const).map((value) => ({ value, label: words.coverages[value] }))}
        />
        <Text size="sm" c="dimmed" aria-live="polite">
          {words.coverageHelp[form.coverage]}
        </Text>
      </Stack>
      <Group>
        <Button size="compact-sm" variant="subtle" color="gray" px={4} rightSection={more ? <IconChevronUp size={16} aria-hidden /> : <IconChevronDown size={16} aria-hidden />} aria-expanded={more} aria-controls={moreId} onClick={() => setMore(!more)}>
          {more ? words.less : words.more}
        </Button>
      </Group>
      <Collapse expanded={more} id={moreId}>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="sm">
          <Autocomplete size="sm" label={words.service} placeholder={words.byRules} data={service} value={form.service} maxLength={200} onChange={set('service')} />
          {line('environment', words.environment)}
          {line('commit', words.commit)}
          {line('label', words.label, words.labelHint)}
          {line('source', words.source, words.sourceHint)}
          {line('base', words.base, words.baseHint)}
          {line('digest', words.digest)}
          <TextInput size="sm" label={words.at} description={words.atHint} inputWrapperOrder={order} value={form.at} error={!valid(form) && words.atWrong} onChange={(e) => set('at')(e.currentTarget.value)} />
          {line('path_prefix', words.pathPrefix)}
          {line('strip_prefix', words.stripPrefix)}
          {list('paths', words.paths)}
          {list('rules', words.rules)}
          {list('hosts', words.hosts)}
        </SimpleGrid>
      </Collapse>
    </Stack>
  );
}

const order: ('label' | 'input' | 'description' | 'error')[] = ['label', 'input', 'description', 'error'];

function distinct(values: string[]): string[] {
  return [...new Set(values.filter((v) => v !== ''))].sort();
}
