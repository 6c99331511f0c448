// Root causes: what the pages say is what the API says; who may works on one, and
// sees what he did. ING5, BRD2.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, firstAdmin, newPage, password, settled, signIn, startDemo, violations } from './harness.mjs';

let server, token;
before(async () => {
  server = await startDemo();
  token = await firstAdmin(server);
  const { id } = await call(server, token, 'POST', '/users', { login: 'looker', name: 'Looker', password });
  await call(server, token, 'PUT', `/users/${id}/role`, { role: 'viewer', application: 'shop' });
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

const get = (path) => call(server, token, 'GET', path);

async function open(path, login = 'ada', options) {
  const page = await newPage(server, options);
  await signIn(page, login);
  await page.goto(path);
  await settled(page);
  return page;
}

test('the list is ranked as the API ranks it, narrows, and keeps what it shows in its address', async () => {
  const page = await open('/findings');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Root causes' }).click();
  const table = page.getByRole('table', { name: 'Root causes' });
  const first = (await get('/issues?limit=50')).items;
  await table.getByRole('link', { name: first[0].cause, exact: true }).waitFor();
  const shown = await table.getByRole('rowheader').getByRole('link').allTextContents();
  assert.deepEqual(shown, first.map((i) => i.cause));

  await page.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'Upgrade' }).click();
  const upgrade = (await get('/issues?kind=upgrade&limit=50')).items.find((i) => i.upgrade?.to);
  await table.getByText(`→ ${upgrade.upgrade.to} · ${upgrade.upgrade.closes} of ${upgrade.upgrade.of}`).first().waitFor();
  assert.equal(new URL(page.url()).searchParams.get('kind'), 'upgrade');
  await page.getByRole('textbox', { name: 'Search causes' }).fill('nowhere to be found');
  await page.getByRole('heading', { name: 'No root cause fits' }).waitFor();
  await page.getByRole('button', { name: 'Show all there is to do' }).click();
  await table.getByRole('link', { name: first[0].cause, exact: true }).waitFor();
  assert.equal(new URL(page.url()).search, '');

  await page.getByRole('combobox', { name: 'Order' }).click();
  await page.getByRole('option', { name: 'Worst' }).click();
  const worst = (await get('/issues?sort=-severity&limit=1')).items[0];
  await page.waitForFunction((cause) => document.querySelector('tbody th a')?.textContent === cause, worst.cause);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('one issue tells what mends it, and leads to exactly its findings', async () => {
  const issue = (await get('/issues?kind=upgrade&limit=50')).items.find((i) => i.upgrade?.to && i.active > 1);
  const page = await open(`/issues/${issue.id}`);
  await page.getByRole('heading', { level: 1, name: issue.cause }).waitFor();
  await page.getByText(`Upgrade ${issue.upgrade.package} to ${issue.upgrade.to}`).waitFor();
  await page.getByRole('link', { name: `${issue.active} findings to be dealt with` }).click();
  await page.getByRole('status').getByText(`${issue.active} findings`).waitFor();
  await page.goBack();
  await page.getByRole('link', { name: 'All root causes' }).click();
  await page.getByRole('table', { name: 'Root causes' }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('who may works on it: what he says is saved, told in the history, and refused where it is none', async () => {
  const issue = (await get('/issues?kind=code&limit=1')).items[0];
  const page = await open(`/issues/${issue.id}`);
  const save = page.getByRole('button', { name: 'Save' });
  assert.equal(await save.isDisabled(), true, 'there is nothing to save');
  await page.getByText('In progress', { exact: true }).click();
  await page.getByLabel('Owner').fill('team-a');
  await page.getByRole('textbox', { name: 'Ticket', exact: true }).fill('SHOP-12');
  await page.getByLabel('Address of the ticket').fill('https://tickets.example.org/SHOP-12');
  await page.getByLabel('Note').fill('with the next release');
  await save.click();
  await page.getByRole('status').getByText('Saved').waitFor();
  const told = await get(`/issues/${issue.id}`);
  assert.deepEqual([told.state, told.owner, told.ticket], ['in_progress', 'team-a', { key: 'SHOP-12', url: 'https://tickets.example.org/SHOP-12' }]);
  const history = page.getByRole('list').filter({ hasText: 'with the next release' });
  await history.getByText('Owner: nobody → team-a').waitFor();
  await history.getByText('Open → In progress').waitFor();
  const ticket = page.getByRole('link', { name: 'SHOP-12' });
  assert.equal(await ticket.getAttribute('href'), 'https://tickets.example.org/SHOP-12');
  assert.deepEqual(await violations(page), []);

  await page.getByRole('textbox', { name: 'Ticket', exact: true }).fill('');
  await save.click();
  await page.getByRole('alert').getByText('ticket with a URL needs a key').waitFor();
  assert.equal((await get(`/issues/${issue.id}`)).ticket.key, 'SHOP-12');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('who may only look reads it, and an issue that is not there says so', async () => {
  const issue = (await get('/issues?application=shop&limit=1')).items[0];
  const page = await open(`/issues/${issue.id}`, 'looker', { width: 390, height: 844, scheme: 'dark' });
  await page.getByText('To change this needs the role developer on the application.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save' }).count(), 0);
  assert.deepEqual(await violations(page), []);
  await page.goto('/issues');
  await settled(page);
  await page.getByRole('list', { name: 'Root causes' }).getByRole('link', { name: issue.cause, exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);
  await page.goto('/issues/i' + 'a'.repeat(26));
  await page.getByRole('alert').getByText('There is nothing here').waitFor();
  await page.context().close();
});
