// Sign-in with a provider, in the browser, against a real OpenID provider. TRU1.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, firstAdmin, newPage, signIn, startServer } from './harness.mjs';
import { clientID, clientSecret, startProvider } from './provider.mjs';

let server, provider, token;
before(async () => {
  server = await startServer();
  token = await firstAdmin(server);
  provider = await startProvider({ redirect: `${server.url}/auth/corp/callback`, afterLogout: `${server.url}/signin` });
  provider.set({ grace: { name: 'Grace Hopper', preferred_username: 'grace', groups: ['security'] }, eve: { preferred_username: 'eve', groups: [] } });
});
after(async () => {
  await closeBrowser();
  await provider?.stop();
  await server?.stop();
});

/** Types a subject into the provider's form. */
async function atProvider(page, subject) {
  await page.getByPlaceholder('Enter any login').fill(subject);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
}

test('an administrator adds a provider, and the test of it tells that it fits', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto('/settings?tab=providers');
  await page.getByRole('button', { name: 'Add provider' }).click();
  await page.getByLabel('Short name').fill('corp');
  await page.getByLabel('Name on the button').fill('Corp');
  await page.getByLabel('Issuer').fill(provider.issuer);
  await page.getByLabel('Client id').fill(clientID);
  await page.getByLabel('Client secret').fill(clientSecret);
  await page.getByLabel('Scopes').fill('openid profile email groups');
  await page.getByRole('button', { name: 'Add group' }).click();
  await page.getByRole('textbox', { name: 'Group', exact: true }).fill('security');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(`${server.url}/auth/corp/callback`).waitFor();
  await page.getByRole('button', { name: 'Test Corp' }).click();
  await page.getByText('The provider answers, and fits.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a group gives its role; the page that one wanted is shown', async () => {
  const page = await newPage(server);
  await page.goto('/coverage');
  await page.getByRole('link', { name: 'Sign in with Corp' }).click();
  await atProvider(page, 'grace');
  await page.getByRole('heading', { level: 1, name: 'Coverage' }).waitFor();
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByText('Grace Hopper').waitFor();
  await page.goto('/settings');
  await page.getByText('corp', { exact: true }).waitFor();
  const { items } = await call(server, token, 'GET', '/users');
  assert.equal(items.find((u) => u.login === 'grace').by_groups.role, 'viewer');
  await page.context().close();
});

test('somebody whose groups give no role is told so, and may still use a password', async () => {
  const page = await newPage(server);
  await page.goto('/signin');
  await page.getByRole('link', { name: 'Sign in with Corp' }).click();
  await atProvider(page, 'eve');
  await page.getByRole('alert').waitFor();
  assert.match(new URL(page.url()).search, /error=no_role/);
  await signIn(page);
  await page.context().close();
});

test('a provider that does not answer is told, and passwords still work', async () => {
  // Nothing listens on port 9, and nothing of this provider was kept from an earlier visit.
  await call(server, token, 'POST', '/providers', { id: 'down', name: 'Down', issuer: 'http://127.0.0.1:9', client_id: 'sinew', client_secret: 'x', enabled: true });
  const page = await newPage(server);
  await page.goto('/signin');
  await page.getByRole('link', { name: 'Sign in with Down' }).click();
  await page.getByRole('alert').getByText('The provider does not answer').waitFor();
  await signIn(page);
  await page.context().close();
});
