import { expect, onTestFinished, test } from 'vitest'
import type { PartitionLag } from '../../src/consumer/lag.ts'
import { lagAnswerOf } from '../../src/consumer/lag-answer.ts'
import { lagOfConsumer } from '../../src/main/consumer/lag-of-consumer.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { serveMetrics } from '../../src/main/metrics/serve.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const LAGS: PartitionLag[] = [
  { topic: 'a', partition: 0, next: 4n, first: 1n, end: 6n, behind: 2n, movedAt: new Date('2026-03-01T12:00:00Z') },
  { topic: 'gone', partition: 0, next: 9n, first: null, end: null, behind: null, movedAt: null },
]
const ANSWER = {
  data: [
    { topic: 'a', partition: 0, next: 4, first: 1, end: 6, behind: 2, moved_at: '2026-03-01T12:00:00.000Z' },
    { topic: 'gone', partition: 0, next: 9, first: null, end: null, behind: null, moved_at: null },
  ],
  meta: { missing_topics: ['gone'] },
}

/** A consumer that answers /lag with this. @returns its address. */
async function consumerWith(lag?: () => Promise<object | undefined>): Promise<string> {
  const [port] = (await freePorts(1)) as [number]
  const metrics = { contentType: 'text/plain', metrics: async () => '' }
  const served = { host: '127.0.0.1', port, isHealthy: () => true }
  const server = await serveMetrics(metrics, lag === undefined ? served : { ...served, lag })
  onTestFinished(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${port}`
}

async function answerOf(kafkaLag?: () => ReturnType<typeof lagOfConsumer>) {
  await using gateway = await offlineGateway({ kafkaLag })
  const answer = await gateway.app.inject({ method: 'GET', url: '/api/v1/kafka', headers: { host: 'localhost:3000' } })
  return { status: answer.statusCode, body: answer.json<unknown>() }
}

test('the gateway answers what the consumer says of its partitions', async () => {
  const url = await consumerWith(async () => lagAnswerOf(['a', 'gone'], LAGS))
  expect(await answerOf(() => lagOfConsumer(url))).toEqual({ status: 200, body: ANSWER })
})

test('without Kafka there is no answer, and a consumer that does not know is unavailable', async () => {
  expect(await answerOf()).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  const urls = [await consumerWith(async () => undefined), await consumerWith(), 'http://127.0.0.1:1']
  for (const url of urls) {
    expect(await answerOf(() => lagOfConsumer(url))).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } })
  }
})
