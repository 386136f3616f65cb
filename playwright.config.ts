import { defineConfig } from '@playwright/test';
import { findChromium } from './scripts/chromium.mjs';

// Of these, --enable-unsafe-webgpu lets the page reach the software adapter; the rest keep the browser from looking for hosts.
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export default defineConfig({
  testDir: 'e2e',
  testMatch: '**/*.spec.ts',
  outputDir: 'test-results',
  globalSetup: './scripts/e2e-server.mjs',
  // A software adapter uses every core; two pages at once would only time each other out.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: process.env.CI === 'true',
  timeout: 240_000,
  expect: { timeout: 20_000 },
  use: {
    baseURL: process.env.LORATORY_URL,
    trace: 'retain-on-failure',
    acceptDownloads: true,
    launchOptions: { executablePath: findChromium()?.executable, args: FLAGS },
  },
});
