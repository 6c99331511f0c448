import { ActionIcon, AppShell, Box, Burger, Group, Kbd, Menu, NavLink, ScrollArea, SegmentedControl, Stack, Text, Tooltip, UnstyledButton, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { IconDeviceDesktop, IconFileImport, IconLayoutGrid, IconListDetails, IconLogout, IconMoon, IconRadar2, IconSearch, IconServer2, IconSettings, IconShieldCheck, IconSun, IconTargetArrow, IconTimeline, IconUser, type Icon } from '@tabler/icons-react';
import { Link, useLocation, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, type ReactNode } from 'react';
import { isEverywhere, isSomewhere, useSignOut, type Session } from '../api/session';
import { text } from '../text';
import { Logo } from '../ui/Logo';
import classes from './Shell.module.css';

const Palette = lazy(() => import('./Palette').then((m) => ({ default: m.Palette })));

export interface Destination {
  to: '/findings' | '/issues' | '/applications' | '/assets' | '/coverage' | '/scanners' | '/import' | '/log' | '/settings';
  label: string;
  icon: Icon;
}

/** Where somebody may go. What he may not do is not offered; the server refuses it all the same. */
export function destinations(session: Session): Destination[] {
  const nav = text.shell.nav;
  return [
    { to: '/findings', label: nav.findings, icon: IconListDetails },
    { to: '/issues', label: nav.issues, icon: IconTargetArrow },
    { to: '/applications', label: nav.applications, icon: IconLayoutGrid },
    { to: '/assets', label: nav.assets, icon: IconServer2 },
    { to: '/coverage', label: nav.coverage, icon: IconShieldCheck },
    { to: '/scanners', label: nav.scanners, icon: IconRadar2 },
    ...(isSomewhere(session, 'developer') ? [{ to: '/import' as const, label: nav.imports, icon: IconFileImport }] : []),
    ...(isEverywhere(session, 'admin') ? [{ to: '/log' as const, label: nav.log, icon: IconTimeline }] : []),
    { to: '/settings', label: nav.settings, icon: IconSettings },
  ];
}

/** The frame around every page: navigation, palette, account. */
export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const here = useLocation({ select: (l) => l.pathname });
  useEffect(close, [here, close]);
  const words = text.shell;
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding={0}>
      <a className={classes.skip} href="#content">
        {words.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={opened ? words.closeMenu : words.openMenu} aria-expanded={opened} />
            <UnstyledButton component={Link} to="/findings" aria-label={words.product}>
              <Group gap={8} wrap="nowrap">
                <Logo />
                <Text fw={650}>{words.product}</Text>
              </Group>
            </UnstyledButton>
            {session.workspace && (
              <Text size="sm" c="dimmed" visibleFrom="xs" truncate maw={220}>
                {session.workspace}
              </Text>
            )}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <UnstyledButton className={classes.search} visibleFrom="sm" onClick={spotlight.open}>
              <IconSearch size={16} aria-hidden />
              <span>{words.palette.open}</span>
              <Kbd size="xs">Ctrl K</Kbd>
            </UnstyledButton>
            <Tooltip label={words.palette.open}>
              <ActionIcon hiddenFrom="sm" variant="subtle" color="gray" size="lg" aria-label={words.palette.open} onClick={spotlight.open}>
                <IconSearch size={20} />
              </ActionIcon>
            </Tooltip>
            <Account session={session} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={words.nav.label}>
        <AppShell.Section grow component={ScrollArea}>
          {destinations(session).map(({ to, label, icon: Icon }) => (
            <NavLink key={to} component={Link} to={to} label={label} leftSection={<Icon size={18} aria-hidden />} active={here === to || here.startsWith(to + '/')} aria-current={here === to ? 'page' : undefined} />
          ))}
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} className={classes.main}>
        {children}
      </AppShell.Main>
      <Suspense>
        <Palette session={session} />
      </Suspense>
    </AppShell>
  );
}

function Account({ session }: { session: Session }) {
  const signOut = useSignOut();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const words = text.shell;
  return (
    <Menu width={260} position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words.account}>
          <IconUser size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Box p="xs">
          <Stack gap={2}>
            <Text size="sm" fw={600} truncate>
              {session.user.name || session.user.login}
            </Text>
            <Text size="xs" c="dimmed" truncate>
              {session.user.login}
            </Text>
          </Stack>
        </Box>
        <Menu.Divider />
        <Box p="xs">
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label={words.scheme.label}
            value={colorScheme}
            onChange={(value) => setColorScheme(value as MantineColorScheme)}
            data={[
              { value: 'light', label: <Choice icon={IconSun} label={words.scheme.light} /> },
              { value: 'dark', label: <Choice icon={IconMoon} label={words.scheme.dark} /> },
              { value: 'auto', label: <Choice icon={IconDeviceDesktop} label={words.scheme.auto} /> },
            ]}
          />
        </Box>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() =>
            signOut.mutate(undefined, {
              // Where a provider signed one in, it is asked to end its session as well.
              onSettled: () => (session.logout ? window.location.assign(session.logout) : void navigate({ to: '/signin' })),
            })
          }>
          {words.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Choice({ icon: Icon, label }: { icon: Icon; label: string }) {
  return (
    <Tooltip label={label}>
      <span className={classes.choice}>
        <Icon size={16} aria-hidden />
        <span className={classes.hidden}>{label}</span>
      </span>
    </Tooltip>
  );
}
