// What every page must pass: no serious fault of accessibility, no text cut at
// three widths, no error of a script or of the content security policy. BRD2.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pagesOf } from './every.mjs';
import { closeBrowser, cuts, firstAdmin, newPage, repository, settled, signIn, startDemo, violations } from './harness.mjs';

let server, pages;
before(async () => {
  server = await startDemo();
  pages = await pagesOf(server, await firstAdmin(server));
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

test('every route is in the list of pages', async () => {
  const source = await readFile(join(repository, 'web/src/router.tsx'), 'utf8');
  const routes = [...source.matchAll(/path: '([^']+)'/g)].map((m) => m[1]).filter((p) => p !== '/' && p !== '/signin');
  assert.ok(routes.length >= 10, `read ${routes.length} routes from the router`);
  for (const route of routes) {
    const pattern = new RegExp('^' + route.replace(/\$\w+/g, '[^/?]+') + '(\\?|$)');
    assert.ok(pages.some((p) => pattern.test(p.path)), `${route} is in no line of every.mjs`);
  }
});

for (const scheme of ['light', 'dark']) {
  test(`accessibility, ${scheme}`, async () => {
    const page = await newPage(server, { scheme });
    await page.goto('/signin');
    await settled(page);
    assert.deepEqual(await violations(page), [], 'sign-in');
    await signIn(page);
    for (const { name, path } of pages) {
      await page.goto(path);
      await settled(page);
      assert.deepEqual(await violations(page), [], `${name} (${path})`);
      assert.equal(await page.locator('h1').count() >= 1 || name === 'not-found', true, `${name} has a heading`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

for (const width of [390, 768, 1440]) {
  test(`nothing is cut at ${width} px`, async () => {
    const page = await newPage(server, { width, height: 844 });
    await signIn(page);
    for (const { name, path } of pages) {
      await page.goto(path);
      await settled(page);
      assert.deepEqual(await cuts(page), [], `${name} (${path})`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('the first load is at most 400 KB of script', async () => {
  const page = await newPage(server);
  await signIn(page);
  const sizes = {};
  page.on('response', async (response) => {
    if (!/\.js$/.test(new URL(response.url()).pathname)) return;
    sizes[response.url()] = Number((await response.allHeaders())['content-length']);
  });
  const client = await page.context().newCDPSession(page);
  await client.send('Network.setCacheDisabled', { cacheDisabled: true });
  await page.goto('/findings');
  await settled(page);
  const total = Object.values(sizes).reduce((a, b) => a + b, 0);
  assert.ok(Object.keys(sizes).length > 2 && total > 50_000, `measured ${total} bytes in ${Object.keys(sizes).length} files`);
  assert.ok(total <= 400 * 1024, `${total} bytes`);
  await page.context().close();
});
