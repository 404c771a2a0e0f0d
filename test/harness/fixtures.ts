import { test as base, inject } from 'vitest'
import { connect } from '../../src/store/database/connection.ts'
import { createDatabase } from './servers/database.ts'
import { type GatewayChanges, startGateway } from './servers/gateway.ts'
import { type StackChanges, startStack } from './servers/stack.ts'

/*
 * What tests start, as fixtures of vitest. A file imports the variant that has what it needs, as `test`:
 *
 *   import { restateTest as test } from './fixtures.ts'
 *   test.beforeEach(({ db }) => clear(db))
 *   test('a batch sent twice is counted once', async ({ db, stack }) => { … })
 *   test.for([[1, 2], [3, 4]])('%i and %i', async ([a, b], { db }) => { … })
 *
 * A fixture starts when the first test or hook of the file names it, and is stopped after the file, in reverse order. So a
 * `test.beforeAll(({ db }) => …)` prepares the database before the services start. Functions of the file receive what they use as
 * parameters (`ask(gateway, '?limit=1')`).
 *
 * A file replaces what a fixture starts with:
 *
 *   const test = gatewayTest
 *     .extend('services', { scope: 'file' }, { hooks: [failing.hook], deps: { tasks } })
 *     .extend('gatewayChanges', { scope: 'file' }, ({ stack }) => ({
 *       ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 1_000 }),
 *     }))
 *
 * and adds what it alone has, e.g. a second gateway:
 *
 *   const test = gatewayTest.extend('caching', { scope: 'file' }, async ({ database, stack }, { onCleanup }) => {
 *     const caching = await startGateway(database.url, stack, { settings })
 *     onCleanup(caching.stop)
 *     return caching
 *   })
 *
 * Never call `override` on a variant: all files of a worker share it.
 */

/** One database for the file. */
export const pgTest = base
  .extend('database', { scope: 'file' }, async ({}, { onCleanup }) => {
    const database = await createDatabase(inject('postgresUrl'))
    onCleanup(database.drop)
    return database
  })
  .extend('db', { scope: 'file' }, ({ database }) => database.db)
  // For tests that prove the database hundreds of times, because a proof takes a quarter of the time when its statements are planned already.
  .extend('proofs', { scope: 'file' }, ({ database }, { onCleanup }) => {
    const proofs = connect({ url: database.url, name: 'test proofs', connectionsMax: 1, prepares: true })
    onCleanup(() => proofs.destroy())
    return proofs
  })

/** A fresh database for each test, which costs 50 ms: for tests that change the schema, the months or the rules. */
export const freshPgTest = base
  .extend('database', async ({}, { onCleanup }) => {
    const database = await createDatabase(inject('postgresUrl'))
    onCleanup(database.drop)
    return database
  })
  .extend('db', ({ database }) => database.db)

/** One database, one restate-server and the services on it for the file. */
export const restateTest = pgTest
  .extend('services', { scope: 'file' }, (): StackChanges => ({}))
  .extend('stack', { scope: 'file' }, async ({ db, services }, { onCleanup }) => {
    const stack = await startStack(db, services.deps, services.hooks)
    onCleanup(stack.stop)
    return stack
  })

/** The same with a gateway in front. */
export const gatewayTest = restateTest
  .extend('gatewayChanges', { scope: 'file' }, (): GatewayChanges => ({}))
  .extend('gateway', { scope: 'file' }, async ({ database, stack, gatewayChanges }, { onCleanup }) => {
    const gateway = await startGateway(database.url, stack, gatewayChanges)
    onCleanup(gateway.stop)
    return gateway
  })
