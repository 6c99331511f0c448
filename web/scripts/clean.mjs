// Empties dist, but for the file that lets `go build` embed the folder when no
// pages were built.
import { readdirSync, rmSync } from 'node:fs';

for (const name of readdirSync('dist')) {
  if (name !== 'README') rmSync(`dist/${name}`, { recursive: true });
}
