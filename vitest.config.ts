import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// The processes that tests start are compiled once.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules', '.cache', 'footfall')

const servers = { globalSetup: ['test/harness/runner/global-postgres.ts'] }

/** npm run test:containers takes PostgreSQL and Restate from containers, and tests docker-compose.yml; npm test needs no Docker. */
const containers =
  process.env['TEST_SERVERS'] === 'containers' ? [{ test: { name: 'containers', include: ['test/**/*.docker.test.ts'] } }] : []

/** The suffix of a file says what it needs: nothing, PostgreSQL, or PostgreSQL and Restate. */
export default defineConfig({
  test: {
    // One more than the cores of a CI machine, because a third of the time of two is waiting: for retries, deadlines and starts of servers.
    maxWorkers: 3,
    // A busy machine is no failure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/harness/runner/leak-check.ts', 'test/harness/runner/collect-statements.ts'],
    reporters: ['default', 'test/harness/runner/slowest-files.ts'],
    // Loading the program for each file anew takes a fifth of the time. No file leaves anything behind in the process.
    isolate: false,
    projects: [
      ...containers,
      {
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{pg,restate,crash,fault,program,browser,docker}.test.ts'],
        },
      },
      { test: { name: 'postgres', include: ['test/**/*.pg.test.ts'], ...servers } },
      { test: { name: 'restate', include: ['test/**/*.restate.test.ts'], ...servers } },
      // The others are run by npm run test:faults and npm run test:replayed, because all together take more than eight minutes. Processes of their own are killed.
      { test: { name: 'crash', include: ['test/**/*.crash.test.ts'] } },
      { test: { name: 'fault', include: ['test/**/*.fault.test.ts'], ...servers } },
      { test: { name: 'program', include: ['test/**/*.program.test.ts'], ...servers } },
      { test: { name: 'browser', include: ['test/**/*.browser.test.ts'], ...servers } },
      // Once more with every handler replayed from its journal at every step, because that shows what is not deterministic. Folders
      // that test the gateway, the commands and whole processes are left out, and so are schedules: the crash tests kill their
      // endpoint at every step.
      {
        test: {
          name: 'replayed',
          include: [
            'test/{services,popularity,catalog,payments,reports,shoppers,similarity,recommendations}/**/*.restate.test.ts',
          ],
          env: { ALWAYS_REPLAY: '1' },
          ...servers,
        },
      },
    ],
  },
})
