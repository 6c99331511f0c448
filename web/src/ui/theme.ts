import { createTheme, type CSSVariablesResolver } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 9,
  autoContrast: true,
  luminanceThreshold: 0.35,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  respectReducedMotion: true,
  cursorType: 'pointer',
});

/**
 * Dimmed text keeps a contrast of 4.5 to 1 on every background that pages use; so
 * does white on what is filled, which in the dark stands out from the page by 3 to 1.
 */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: { '--mantine-color-error': '#c92a2a', '--mantine-color-dimmed': '#5c636a', '--mantine-color-placeholder': '#6b7279' },
  dark: { '--mantine-color-cyan-filled': '#0b7d90', '--mantine-color-error': '#ff8787', '--mantine-color-dimmed': '#a6adb4', '--mantine-color-placeholder': '#969da5' },
});
