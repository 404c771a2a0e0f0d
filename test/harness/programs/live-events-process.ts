import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createRedisEvents } from '../../../src/external/redis-events.ts'
import { readConfig } from '../../../src/main/config/config.ts'
import { liveEventStoreOf } from '../../../src/main/config/live-events.ts'
import { shopperEvent } from '../items/shopper-events.ts'

const FAILURES_MAX = 20

/** A process with the settings of its environment. It keeps an event in the Redis, and prints it as it was read, or why calls failed. */
const errors = new Set<string>()
let failures = 0
const onFailed = (error: unknown) => {
  failures++
  errors.add(inspect(error))
}
const { url } = liveEventStoreOf(readConfig(process.env)) as { url: string }
const live = createRedisEvents({ url, idleMs: 60_000, itemsMax: 20, onFailed })
for (let kept: string | undefined; kept === undefined && failures < FAILURES_MAX; await sleep(50)) {
  await live.keep('session:process', shopperEvent({ productId: 'a lamp' }))
  const events = await live.read(['session:process'])
  kept = events?.[0]?.productId
  if (kept !== undefined) console.log(`kept ${kept}`)
}
if (failures >= FAILURES_MAX) console.log([...errors].join('\n'))
await live.stop()
