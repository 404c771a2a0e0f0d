import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { baseOptions } from '../../src/consumer/client.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { brokersOf, consumerUrlOf, topicsOf } from '../../src/main/config/kafka.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-kafka-'))
  await writeFile(join(folder, 'password'), 'secret\n')
  await writeFile(join(folder, 'pem'), 'a certificate')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const BROKERS = { KAFKA_BROKERS: 'one:9092,two:9093' }

test('brokers, topics, TLS and the login are those of the settings', () => {
  const config = readConfig({
    ...BROKERS,
    KAFKA_TOPIC_UPDATED: 'shop.updates',
    KAFKA_TLS: 'on',
    KAFKA_TLS_CA_FILE: join(folder, 'pem'),
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USER: 'footfall',
    KAFKA_SASL_PASSWORD_FILE: join(folder, 'password'),
  })
  const options = baseOptions(brokersOf(config), 'test')
  expect(options).toMatchObject({
    bootstrapBrokers: ['one:9092', 'two:9093'],
    tls: { ca: Buffer.from('a certificate'), rejectUnauthorized: true },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'footfall', password: 'secret' },
  })
  expect([...topicsOf(config)]).toEqual([
    ['product.created', 'ProductCreated'],
    ['shop.updates', 'ProductUpdated'],
    ['product.deleted', 'ProductDeleted'],
    ['interactions', 'interaction'],
  ])
  expect(consumerUrlOf(config)).toBe('http://127.0.0.1:9082')
})

test('without brokers nothing is read, and the consumer says what is missing', () => {
  const config = readConfig({})
  expect(consumerUrlOf(config)).toBeUndefined()
  expect(() => brokersOf(config)).toThrow('Set KAFKA_BROKERS')
})

test.for<[string, Record<string, string>, string]>([
  ['no port', { KAFKA_BROKERS: 'kafka' }, 'KAFKA_BROKERS must be brokers such as'],
  ...['one:0', 'one:65536', '127.0.0.1:99999', 'one:9092,two:70000', 'one:9092,', ':9092', 'one:9092, two:9092'].map(
    (brokers): [string, Record<string, string>, string] => [
      `KAFKA_BROKERS=${brokers}`,
      { KAFKA_BROKERS: brokers },
      'KAFKA_BROKERS must be brokers such as kafka-1:9092,kafka-2:9092, with ports from 1 to 65535',
    ],
  ),
  ['one topic twice', { KAFKA_TOPIC_DELETED: 'product.created' }, 'a topic of its own'],
  ['a topic with a slash', { KAFKA_TOPIC_DELETED: 'a/b' }, 'KAFKA_TOPIC_DELETED must be'],
  ['a login without a password', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USER: 'a' }, 'Set all of KAFKA_SASL_MECHANISM'],
  ['a mechanism that is not known', { KAFKA_SASL_MECHANISM: 'GSSAPI' }, 'KAFKA_SASL_MECHANISM must be'],
  ['certificates without TLS', { KAFKA_TLS_CA_FILE: 'ca.pem' }, 'Set KAFKA_TLS=on too'],
  ['a certificate without its key', { KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: 'cert.pem' }, 'Set both of KAFKA_TLS_CERT_FILE'],
  ['a currency that is none', { DEFAULT_CURRENCY: 'EURO' }, 'DEFAULT_CURRENCY must be an ISO 4217 code'],
])('%s is refused', ([, settings, message]) => {
  expect(() => readConfig({ ...BROKERS, ...settings })).toThrow(message)
})

test.for(['one:1', 'one:65535'])('KAFKA_BROKERS=%s is accepted', (brokers) => {
  expect(brokersOf(readConfig({ KAFKA_BROKERS: brokers })).brokers).toEqual([brokers])
})

test('a file that is not there is named', () => {
  const config = readConfig({ ...BROKERS, KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: join(folder, 'none') })
  expect(() => brokersOf(config)).toThrow('KAFKA_TLS_CA_FILE is')
})
