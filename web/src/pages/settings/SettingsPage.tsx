import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { isEverywhere, useSession } from '../../api/session';
import { text } from '../../text';
import { Page } from '../../ui/Page';
import { Account } from './Account';
import { Providers } from './Providers';
import { Tokens } from './Tokens';
import { Users } from './Users';

/** One's own account and tokens; for administrators, users and providers. */
export function SettingsPage() {
  const words = text.settings;
  const session = useSession();
  const search = useSearch({ from: '/settings' });
  const navigate = useNavigate({ from: '/settings' });
  const admin = isEverywhere(session, 'admin');
  const tabs = [
    { id: 'account', label: words.tabs.account, Panel: Account },
    { id: 'tokens', label: words.tabs.tokens, Panel: Tokens },
    ...(admin
      ? [
          { id: 'users', label: words.tabs.users, Panel: Users },
          { id: 'providers', label: words.tabs.providers, Panel: Providers },
        ]
      : []),
  ];
  const tab = tabs.find((t) => t.id === search.tab) ?? tabs[0]!;
  return (
    <Page title={words.title}>
      <Tabs value={tab.id} onChange={(id) => void navigate({ search: id && id !== 'account' ? { tab: id } : {} })} keepMounted={false}>
        <Tabs.List aria-label={words.tabs.label} mb="md">
          {tabs.map((t) => (
            <Tabs.Tab key={t.id} value={t.id}>
              {t.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map(({ id, Panel }) => (
          <Tabs.Panel key={id} value={id}>
            <Panel />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
