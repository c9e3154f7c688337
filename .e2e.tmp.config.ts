import { defineConfig } from 'vitest/config';
export default defineConfig({ root: '/work/main', test: { include: ['test/e2e/**/*.test.ts'], setupFiles: ['test/support/setup.ts'], globalSetup: ['test/support/global-setup.ts'], testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' }, resolve: { alias: { 'playwright-core': '/tmp/pw/node_modules/playwright-core/index.mjs' } } });
