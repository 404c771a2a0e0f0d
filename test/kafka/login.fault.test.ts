import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { BrokerSettings } from '../../src/consumer/client.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { expectedCatalogue, storedCatalogue } from '../harness/items/products.ts'
import { changesOf } from '../harness/items/sent-records.ts'
import { type Certificates, makeCertificates } from '../harness/servers/certificates.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { HAS_LOGIN, startBroker, type TestBroker } from '../harness/servers/kafka/broker.ts'
import { consume, countOf, untilRead } from '../harness/servers/kafka/consuming.ts'
import { makeTopics } from '../harness/servers/kafka/topics.ts'

const USER = { username: 'footfall', password: 'secret' }

let folder: string
let certificates: Certificates
let broker: TestBroker
beforeAll(async () => {
  if (!HAS_LOGIN) return
  folder = makeDataFolder('kafka-login')
  certificates = await makeCertificates(folder, 'localhost')
  broker = await startBroker({ ...USER, ...certificates })
}, 120_000)
afterAll(async () => {
  await broker?.stop()
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

describe.skipIf(!HAS_LOGIN)('brokers with TLS and a login', () => {
  test('are read with the password and their CA, and not with another password or without the CA', async ({ db }) => {
    const topics = await makeTopics(broker.address, 1)
    const { sent, versions } = changesOf(50, 10)
    await topics.send(sent)
    const settings = (password: string, ca: Buffer | undefined): BrokerSettings => ({
      brokers: [broker.loginAddress!],
      tls: { ca, cert: undefined, key: undefined },
      sasl: { mechanism: 'SCRAM-SHA-512', username: USER.username, password },
    })
    const ca = readFileSync(certificates.caFile)
    for (const [wrong, said] of [
      [settings('other', ca), /authenticat/i],
      [settings(USER.password, undefined), /certificate/i],
    ] as const) {
      const consumer = consume(db, { ...topics, settings: wrong })
      await expect.poll(() => causesOf(consumer.seen.sessions[0]), { timeout: 30_000 }).toMatch(said)
      await consumer.stop()
    }
    expect(await countOf(db, 'catalog.product')).toBe(0)
    const right = { ...topics, settings: settings(USER.password, ca) }
    const consumer = consume(db, right)
    await untilRead(db, right)
    await consumer.stop()
    await topics.close()
    expect(await storedCatalogue(db)).toEqual(expectedCatalogue(versions))
  })
})

/** The messages of an error and of what caused it. */
function causesOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  return [error.message, ...inner.map(causesOf)].join('\n')
}
