import { ActionIcon, Group, Paper, Progress, Stack, Text, ThemeIcon, Title, Tooltip, VisuallyHidden } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconCheck, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { LinkProps } from '@tanstack/react-router';
import { onboardingQuery } from '../api/onboarding';
import { isSomewhere, useSession } from '../api/session';
import { text } from '../text';
import { AnchorLink } from '../ui/links';
import classes from './Onboarding.module.css';

/** Where a step is done. */
const places: Record<string, Pick<LinkProps, 'to' | 'search'>> = {
  first_report: { to: '/import' },
  applications: { to: '/applications', search: { tab: 'rules' } },
  first_decision: { to: '/findings' },
  ci_token: { to: '/settings', search: { tab: 'tokens' } },
  second_user: { to: '/settings', search: { tab: 'users' } },
  provider: { to: '/settings', search: { tab: 'providers' } },
};

/**
 * The first steps in a workspace. They tick themselves by what was done; whoever
 * knows them hides them. Nothing is shown until it is known that something is
 * left to do, so that nobody who is done sees a flash of it.
 */
export function Onboarding() {
  const words = text.imports.onboarding;
  const session = useSession();
  const [hidden, hide] = useLocalStorage({ key: 'sinew.onboarding.hidden', defaultValue: false, getInitialValueInEffect: false });
  const wanted = !hidden && isSomewhere(session, 'developer');
  const { data } = useQuery({ ...onboardingQuery, enabled: wanted });
  const steps = (data ?? []).filter((step) => words.steps[step.id]);
  const done = steps.filter((step) => step.done).length;
  if (!wanted || steps.length === 0 || done === steps.length) return null;
  return (
    <Paper withBorder p="sm" radius="md" component="section" aria-labelledby="first-steps">
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Group gap="sm">
            <Title order={2} size="h5" id="first-steps">
              {words.title}
            </Title>
            <Progress value={(100 * done) / steps.length} w={90} size="sm" aria-hidden />
            <Text size="sm" c="dimmed">
              {words.progress(done, steps.length)}
            </Text>
          </Group>
          <Tooltip label={words.dismiss}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.dismiss} onClick={() => hide(true)}>
              <IconX size={18} />
            </ActionIcon>
          </Tooltip>
        </Group>
        <ol className={classes.steps}>
          {steps.map((step, i) => {
            const { title, help } = words.steps[step.id]!;
            return (
              <li key={step.id} className={classes.step}>
                <ThemeIcon size={22} radius="xl" variant={step.done ? 'filled' : 'light'} color={step.done ? 'green' : 'gray'}>
                  {step.done ? <IconCheck size={14} aria-hidden /> : <span className={classes.number}>{i + 1}</span>}
                </ThemeIcon>
                <div>
                  <Text size="sm" fw={550} component="div">
                    {step.done ? <Text span c="dimmed" inherit>{title}</Text> : <AnchorLink inherit {...places[step.id]}>{title}</AnchorLink>}
                    <VisuallyHidden> ({step.done ? words.done : words.open})</VisuallyHidden>
                  </Text>
                  {!step.done && (
                    <Text size="xs" c="dimmed">
                      {help}
                    </Text>
                  )}
                </div>
              </li>
            );
          })}
        </ol>
      </Stack>
    </Paper>
  );
}
