/// <reference types="vitest/config" />
import { defineConfig } from 'vite';

export default defineConfig({
  // The names of the files carry their digest: they are cached for ever.
  build: {
    outDir: 'dist',
    assetsDir: 'static', // /assets is a page
    emptyOutDir: false,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      output: { experimentalMinChunkSize: 20_000 }, // a few dozen requests fewer on the first load
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning); // "use client" means nothing here
      },
    },
  },
  esbuild: { jsx: 'automatic' },
  server: { proxy: { '/api': 'http://127.0.0.1:8080', '/auth': 'http://127.0.0.1:8080', '/join': 'http://127.0.0.1:8080' } },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
});
