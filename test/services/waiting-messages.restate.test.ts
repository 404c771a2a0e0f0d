import { expect } from 'vitest'
import { analyticApi } from '../../src/contract/services.ts'
import { createWaitingCalls } from '../../src/main/endpoint/waiting-calls.ts'
import { until } from '../../src/main/embedded/until.ts'
import { connect } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { pgTest } from '../harness/fixtures.ts'
import { query, settled, startStack } from '../harness/servers/stack.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

/** Counting reaches PostgreSQL through a proxy, and no message keeps its place in an outage. */
const test = pgTest
  .extend('proxy', { scope: 'file' }, async ({ database }, { onCleanup }) => {
    const proxy = await startTcpProxy(database.url)
    onCleanup(proxy.cut)
    return proxy
  })
  .extend('background', { scope: 'file' }, ({ proxy }, { onCleanup }) => {
    const background = connect({ url: proxy.url, name: 'test counting' })
    onCleanup(() => background.destroy())
    return background
  })
  .extend('stack', { scope: 'file' }, async ({ db, background }, { onCleanup }) => {
    const waitingCalls = {
      ...createWaitingCalls({ placesMax: 64, leavingMax: 0 }),
      background: createWaitingCalls({ placesMax: 0, leavingMax: 0 }).background,
    }
    const stack = await startStack(db, { background, waitingCalls })
    onCleanup(stack.stop)
    return stack
  })

test(
  'messages that find PostgreSQL away come again later, hold no place until then, and are counted',
  { timeout: 180_000 },
  async ({ db, proxy, stack }) => {
    await proxy.cut()
    try {
      const view = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'counted later' } as const
      await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [view] })
      const inState = (status: string) =>
        query(stack, `select target_service_name as name from sys_invocation where status = '${status}' order by 1`)
      expect(await until(async () => (await inState('scheduled')).length === 2, 20_000)).toBe(true)
      expect(await inState('scheduled')).toEqual([{ name: 'Catalog' }, { name: 'Popularity' }])
      expect(await inState('backing-off')).toEqual([])
    } finally {
      await proxy.mend()
    }
    await settled(db, 120_000)
    expect((await verify(db)).drift).toEqual([])
  },
)
