import { expect, test } from 'vitest'
import { createAdmin } from '../../src/consumer/client.ts'
import { problemOf } from '../../src/consumer/problem.ts'
import { consumerState } from '../../src/main/consumer/state.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'

test('a broker that does not answer is named, with the reason', async () => {
  const [port] = (await freePorts(1)) as [number]
  const admin = createAdmin({ brokers: [`127.0.0.1:${port}`], tls: undefined, sasl: undefined })
  const error = await admin.listTopics().catch((cause: unknown) => cause)
  await admin.close().catch(() => undefined)
  expect(problemOf(error)).toBe(`Connection to 127.0.0.1:${port} failed: connect ECONNREFUSED 127.0.0.1:${port}`)
})

test('the state of the consumer has the last error until it reads or stores again, and the topics that do not exist', () => {
  const state = consumerState()
  state.left(new AggregateError([new Error('first'), new Error('second.', { cause: new Error('why') })], 'many'))
  expect(state.answer()).toMatchObject({ status: 'not_ready', kafka: false, last_error: 'second: why' })
  state.joined(['product.created'])
  expect(state.answer()).toMatchObject({ status: 'ready', kafka: true, last_error: null, missing_topics: ['product.created'] })
  state.failed(new Error('away'), true)
  expect(state.answer()).toMatchObject({ status: 'not_ready', postgresql: false, last_error: 'away' })
  // The batch that waited went to another consumer.
  state.assigned()
  expect(state.answer()).toMatchObject({ status: 'ready', postgresql: true, waiting_seconds: 0 })
  state.stored()
  expect(state.answer()).toMatchObject({ status: 'ready', waiting_seconds: 0, last_error: null })
})
