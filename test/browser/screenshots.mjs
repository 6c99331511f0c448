// Photographs every page, light, dark and 390 px wide: node screenshots.mjs DIR [NAME]
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pagesOf } from './every.mjs';
import { closeBrowser, firstAdmin, newPage, settled, signIn, startDemo } from './harness.mjs';

const [, , out = 'out', only] = process.argv;
const server = await startDemo();
try {
  const pages = (await pagesOf(server, await firstAdmin(server))).filter((p) => !only || p.name.startsWith(only));
  await mkdir(out, { recursive: true });
  for (const [look, options] of Object.entries({
    light: { scheme: 'light' },
    dark: { scheme: 'dark' },
    phone: { scheme: 'light', width: 390, height: 844 },
  })) {
    const page = await newPage(server, options);
    if (!only || 'signin'.startsWith(only)) {
      await page.goto('/signin');
      await settled(page);
      await page.screenshot({ path: join(out, `signin-${look}.png`) });
    }
    await signIn(page);
    for (const { name, path } of pages) {
      await page.goto(path);
      await settled(page);
      await page.screenshot({ path: join(out, `${name}-${look}.png`) });
    }
    if (page.faults.length > 0) throw new Error(page.faults.join('\n'));
    await page.context().close();
  }
} finally {
  await closeBrowser();
  await server.stop();
}
