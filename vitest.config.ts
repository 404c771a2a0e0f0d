import { defineConfig } from 'vitest/config'

const files = (suffix: string) => ({ include: [`test/**/*${suffix}.test.ts`] })
const servers = { globalSetup: ['test/harness/global-postgres.ts'], testTimeout: 60_000, hookTimeout: 60_000 }

/** The suffix of a file says what it needs: nothing, PostgreSQL, or PostgreSQL and Restate. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/**/*.{pg,restate,crash}.test.ts'] } },
      { test: { name: 'postgres', ...files('.pg'), ...servers } },
      { test: { name: 'restate', ...files('.restate'), ...servers } },
    ],
  },
})
