// The findings list and a finding, as people use them: find, understand, decide,
// take back, come back tomorrow. BRD2.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, cuts, firstAdmin, newPage, password, settled, signIn, startDemo, startServer, violations } from './harness.mjs';

let server, token;
before(async () => {
  server = await startDemo();
  token = await firstAdmin(server);
  await call(server, token, 'POST', '/users', { login: 'vera', name: 'Vera', password, role: 'viewer' });
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

const counted = async (filter) => (await call(server, token, 'GET', '/findings/counts?filter=' + encodeURIComponent(filter))).total;
const asked = (page, name) => new URL(page.url()).searchParams.get(name);
const rows = (page) => page.getByRole('grid', { name: 'Findings' }).getByRole('row').filter({ has: page.getByRole('link') });

/** A page with the list, signed in. */
async function list(path = '/findings', login = 'ada', options) {
  const page = await newPage(server, options);
  await signIn(page, login);
  if (path !== '/findings') await page.goto(path);
  await page.getByRole('heading', { level: 1, name: 'Findings' }).waitFor();
  await settled(page);
  return page;
}

test('Priority is what is open and high or critical; All is everything', async () => {
  const page = await list();
  const tabs = page.getByRole('navigation', { name: 'Which findings' });
  await tabs.getByRole('link', { name: `Priority ${await counted('is:open severity:>=high')}` }).waitFor();
  await tabs.getByRole('link', { name: `All ${await counted('')}` }).click();
  await page.getByRole('status').getByText(`${await counted('')} findings`).waitFor();
  assert.equal(asked(page, 'tab'), 'all');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the filter is completed at the cursor, kept in the address, and its mistakes are underlined', async () => {
  const page = await list('/findings?tab=all');
  await page.keyboard.press('/');
  const field = page.getByRole('combobox', { name: 'Filter' });
  await page.keyboard.type('sev');
  await page.getByRole('option', { name: /^severity:/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('option', { name: /^severity:high/ }).click();
  await page.waitForURL((url) => url.searchParams.get('filter') === 'severity:high');
  await page.getByRole('status').getByText(`${await counted('severity:high')} findings`).waitFor();

  await field.fill('severity:high severty:low');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('there is no field "severty" (character 15)').waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  await page.getByRole('heading', { name: 'The filter cannot be read' }).waitFor();

  await page.goBack();
  await page.getByRole('status').getByText(`${await counted('severity:high')} findings`).waitFor();
  assert.equal(await field.inputValue(), 'severity:high');
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await page.getByRole('option', { name: 'severity:high', exact: true }).waitFor(); // used before
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('facets edit the filter', async () => {
  const page = await list('/findings?tab=all');
  await page.getByRole('group', { name: 'Tool' }).getByRole('checkbox', { name: 'trivy' }).check();
  await page.getByRole('group', { name: 'Severity' }).getByRole('checkbox', { name: 'High' }).check();
  await page.getByRole('status').getByText(`${await counted('tool:trivy severity:high')} findings`).waitFor();
  assert.equal(asked(page, 'filter'), 'tool:trivy severity:high');
  assert.equal(await page.getByRole('combobox', { name: 'Filter' }).inputValue(), 'tool:trivy severity:high');
  await page.getByRole('group', { name: 'Tool' }).getByRole('checkbox', { name: 'trivy' }).uncheck();
  await page.waitForURL((url) => url.searchParams.get('filter') === 'severity:high');
  await page.context().close();
});

test('by keyboard alone: select a range, decide with a reason, take it back', async () => {
  const page = await list('/findings?tab=all&filter=tool:bandit is:open');
  const before = await counted('tool:bandit is:false_positive');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('Shift+J');
  await page.keyboard.press('Shift+J');
  await page.getByRole('region', { name: 'Selected findings' }).getByText('3 findings selected').waitFor();
  await page.keyboard.press('e');
  const dialog = page.getByRole('dialog', { name: 'Decide' });
  await dialog.getByText('About 3 findings').waitFor();
  await dialog.getByRole('radio', { name: /^Confirm/ }).focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown');
  assert.equal(await dialog.getByRole('radio', { name: /^False positive/ }).isChecked(), true);
  await page.keyboard.press('Enter'); // without a reason
  await dialog.getByText('Say why').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('Only run by tests');
  await dialog.getByRole('button', { name: 'Decide on 3' }).focus();
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  const undo = page.getByRole('button', { name: 'Undo' });
  await undo.waitFor();
  assert.equal(await counted('tool:bandit is:false_positive'), before + 3);
  await undo.focus();
  await page.keyboard.press('Enter');
  await page.getByText('Taken back for 3 findings').waitFor();
  assert.equal(await counted('tool:bandit is:false_positive'), before);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('everything that fits the filter is decided at once', async () => {
  const page = await list('/findings?tab=all&filter=tool:checkov is:open');
  const all = await counted('tool:checkov is:open');
  await page.getByRole('checkbox', { name: 'Select all that are loaded' }).check();
  const bar = page.getByRole('region', { name: 'Selected findings' });
  await bar.getByText(`${all} findings selected`).waitFor(); // one page holds them
  await bar.getByRole('button', { name: 'Decide' }).click();
  const dialog = page.getByRole('dialog', { name: 'Decide' });
  await dialog.getByRole('radio', { name: /^In progress/ }).check();
  await dialog.getByRole('textbox', { name: 'Owner' }).fill('platform');
  await dialog.getByRole('button', { name: `Decide on ${all}` }).click();
  await page.getByText(`In progress: ${all} findings`).waitFor();
  assert.equal(await counted('tool:checkov is:in_progress owner:platform'), all);
  await page.context().close();
});

test('a finding opens beside the list, by keyboard, and says what it is in one sentence', async () => {
  const page = await list('/findings?tab=all&filter=is:fixed');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const panel = page.getByRole('complementary', { name: 'Finding' });
  const first = await panel.getByRole('heading', { level: 2 }).textContent();
  const id = asked(page, 'open');
  await panel.getByText(/ was on .+ is fixed, and it no longer counts because /).waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'H2');
  await page.keyboard.press('j');
  await page.waitForURL((url) => url.searchParams.get('open') !== id);
  await page.keyboard.press('k');
  await page.waitForURL((url) => url.searchParams.get('open') === id);
  await panel.getByRole('heading', { level: 2, name: first, exact: true }).waitFor();
  await panel.getByRole('button', { name: 'Show what was read' }).click();
  await panel.locator('pre').last().waitFor();
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.searchParams.has('open'));
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'grid');
  await page.goto(`/findings/${id}`);
  await page.getByRole('heading', { level: 1, name: first, exact: true }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a view is saved, is there the next day, and others see what is shared', async () => {
  const page = await list('/findings?tab=all&filter=class:secret&columns=severity,title,owner&sort=-first_seen');
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Save as a new view' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Secrets');
  await page.getByRole('radio', { name: 'Everyone' }).check();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL((url) => url.searchParams.has('view'));
  await page.getByRole('combobox', { name: 'Filter' }).fill('class:secret is:open');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Secrets · changed' }).waitFor();
  await page.context().close();

  const other = await list('/findings', 'vera');
  await other.getByRole('button', { name: 'Views' }).click();
  await other.getByRole('menuitem', { name: /^Secrets/ }).click();
  await other.waitForURL((url) => url.searchParams.get('filter') === 'class:secret' && url.searchParams.get('sort') === '-first_seen');
  await other.getByRole('columnheader', { name: 'Owner' }).waitFor();
  await other.getByRole('button', { name: 'Secrets' }).click();
  assert.equal(await other.getByRole('menuitem', { name: /^Delete/ }).count(), 0, 'a viewer deletes nobody’s view');
  await other.getByRole('menuitem', { name: 'Begin with “Secrets”' }).click();
  await other.goto('/findings');
  await other.waitForURL((url) => url.searchParams.get('filter') === 'class:secret');
  await other.context().close();
});

test('a group opens to its findings, and leads to exactly them', async () => {
  const page = await list('/findings?tab=all&group=rule');
  const first = page.getByRole('list', { name: 'Findings by rule' }).getByRole('listitem').first();
  await first.getByRole('button', { expanded: false }).click();
  await first.getByRole('list').getByRole('link').first().waitFor();
  const [group] = (await call(server, token, 'GET', '/findings/groups?by=rule&limit=1')).items;
  await first.getByRole('button', { name: /^(List them|Show all)/ }).click();
  await page.getByRole('status').getByText(group.count === 1 ? '1 finding' : `${group.count} findings`, { exact: true }).waitFor();
  assert.equal(asked(page, 'group'), null);
  await page.context().close();
});

test('the export has exactly what the filter finds', async () => {
  const page = await list('/findings?tab=all&filter=class:dependency is:open');
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^JSON/ }).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const ids = new Set(text.match(/"id": ?"f[a-z2-7]{26}"/g));
  assert.equal(ids.size, await counted('class:dependency is:open'));
  await page.context().close();
});

test('columns and sort are in the address', async () => {
  const page = await list('/findings?tab=all');
  await page.getByRole('columnheader', { name: 'First seen' }).getByRole('button').click();
  await page.waitForURL((url) => url.searchParams.get('sort') === '-first_seen');
  assert.equal(await page.getByRole('columnheader', { name: 'First seen' }).getAttribute('aria-sort'), 'descending');
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('checkbox', { name: 'Owner' }).check();
  await page.getByRole('columnheader', { name: 'Owner' }).waitFor();
  assert.match(asked(page, 'columns'), /owner/);
  await page.reload();
  await page.getByRole('columnheader', { name: 'Owner' }).waitFor();
  await page.context().close();
});

test('a viewer reads and does not decide', async () => {
  const page = await list('/findings', 'vera');
  await rows(page).first().waitFor();
  assert.equal(await page.getByRole('checkbox', { name: /^Select/ }).count(), 0);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: 'Finding' }).getByRole('heading', { level: 2 }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Decide' }).count(), 0);
  await page.keyboard.press('e');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await page.context().close();
});

test('an empty list says why, and what to do', async () => {
  const page = await list('/findings?tab=all&filter=tool:trivy nowhere-to-be-found');
  await page.getByRole('heading', { name: 'No finding fits the filter' }).waitFor();
  await page.getByRole('button', { name: 'Without nowhere-to-be-found' }).click();
  await page.getByRole('status').getByText(`${await counted('tool:trivy')} findings`).waitFor();
  await page.context().close();

  const bare = await startServer();
  try {
    await firstAdmin(bare);
    const first = await newPage(bare);
    await signIn(first);
    await first.getByRole('heading', { name: 'Nothing was scanned yet' }).waitFor();
    await first.getByRole('link', { name: 'Import a report' }).waitFor();
    assert.deepEqual(await violations(first), []);
    await first.context().close();
  } finally {
    await bare.stop();
  }
});

test('on a phone findings are cards, and nothing is cut', async () => {
  const page = await list('/findings', 'ada', { width: 390, height: 844 });
  const cards = page.getByRole('list', { name: 'Findings' }).getByRole('link');
  await cards.first().waitFor();
  assert.deepEqual(await cuts(page), []);
  await cards.first().click();
  const panel = page.getByRole('dialog', { name: 'Finding' });
  await panel.getByRole('heading', { level: 2 }).waitFor();
  await settled(page);
  assert.deepEqual(await cuts(page), []);
  await panel.getByRole('button', { name: 'Close the finding' }).click();
  await panel.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Facets' }).click();
  await page.getByRole('dialog', { name: 'Narrow by' }).getByRole('checkbox', { name: 'Critical' }).check();
  await page.getByRole('button', { name: /^Show \d+$/ }).click();
  await page.waitForURL((url) => url.searchParams.get('filter') === 'severity:critical');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
