import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { BrokerSettings } from '../../consumer/client.ts'
import { SASL_MECHANISMS } from '../../consumer/sasl.ts'
import { Currency } from '../../contract/fields/currency.ts'
import type { RecordKind } from '../../contract/kafka-record.ts'
import { readSecret } from './secret.ts'
import { httpUrl, settingsIn, type SettingsOf, text } from './setting.ts'
import { StartError } from './start-error.ts'

/** What the names of topics may be in Kafka. */
const topic = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, { error: 'must be 1 to 249 of A-Z, a-z, 0-9, ".", "_" and "-"' })

function isBroker(text: string): boolean {
  const port = Number(/^[^\s,:]+:(\d{1,5})$/.exec(text)?.[1])
  return port >= 1 && port <= 65_535
}

export const kafkaSettings = settingsIn('Kafka', {
  KAFKA_BROKERS: z
    .string()
    .refine((list) => list.split(',').every(isBroker), {
      error: 'must be brokers such as kafka-1:9092,kafka-2:9092, with ports from 1 to 65535',
    })
    .optional()
    .describe('Brokers to begin with, with commas between them. npm start runs the consumer when it is set.'),
  KAFKA_GROUP: text.max(200).default('footfall').describe('The consumer group, whose members share the partitions.'),
  KAFKA_TOPIC_CREATED: topic.default('product.created').describe('Topic of ProductCreated events.'),
  KAFKA_TOPIC_UPDATED: topic.default('product.updated').describe('Topic of ProductUpdated events.'),
  KAFKA_TOPIC_DELETED: topic.default('product.deleted').describe('Topic of ProductDeleted events.'),
  KAFKA_TOPIC_INTERACTIONS: topic.default('interactions').describe('Topic of interactions.'),
  DEFAULT_CURRENCY: Currency.default('EUR').describe('The currency of the prices in product events, which name none. ISO 4217.'),
  KAFKA_TLS: z.enum(['on', 'off']).default('off').describe('Whether the connections to the brokers use TLS.'),
  KAFKA_TLS_CA_FILE: text
    .optional()
    .describe("File with the certificates (PEM) that sign those of the brokers; the system's when absent. Needs KAFKA_TLS=on."),
  KAFKA_TLS_CERT_FILE: text.optional().describe('File with the certificate of the consumer (PEM), for brokers that ask for one.'),
  KAFKA_TLS_KEY_FILE: text.optional().describe('File with the private key of that certificate (PEM).'),
  KAFKA_CONSUMER_URL: httpUrl('http://consumer:9082')
    .optional()
    .describe(
      'Where the gateway asks the consumer how it is and how far it has read; http://127.0.0.1:CONSUMER_METRICS_PORT when KAFKA_BROKERS is set.',
    ),
  KAFKA_SASL_MECHANISM: z.enum(SASL_MECHANISMS).optional().describe('How the consumer logs in; without a login when absent.'),
  KAFKA_SASL_USER: text.optional().describe('The user of the login.'),
  KAFKA_SASL_PASSWORD_FILE: text.optional().describe('File with the password of the login.'),
})

type KafkaSettings = SettingsOf<typeof kafkaSettings>

/** What is wrong with the settings together; undefined when nothing is. */
export function kafkaProblem(config: KafkaSettings): string | undefined {
  const topics = [...topicsOf(config).keys()]
  if (topics.length < 4) return 'Each of the KAFKA_TOPIC_ settings needs a topic of its own.'
  const { KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key, KAFKA_TLS_CA_FILE: ca, KAFKA_TLS: tls } = config
  if (tls === 'off' && [cert, key, ca].some((file) => file !== undefined))
    return 'Set KAFKA_TLS=on too, or unset the KAFKA_TLS_ files.'
  if ((cert === undefined) !== (key === undefined)) return 'Set both of KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE.'
  const login = [config.KAFKA_SASL_MECHANISM, config.KAFKA_SASL_USER, config.KAFKA_SASL_PASSWORD_FILE]
  if (login.some((part) => part === undefined) && login.some((part) => part !== undefined)) {
    return 'Set all of KAFKA_SASL_MECHANISM, KAFKA_SASL_USER and KAFKA_SASL_PASSWORD_FILE.'
  }
  return undefined
}

/** What each topic has. */
export function topicsOf(config: KafkaSettings): ReadonlyMap<string, RecordKind> {
  return new Map([
    [config.KAFKA_TOPIC_CREATED, 'ProductCreated'],
    [config.KAFKA_TOPIC_UPDATED, 'ProductUpdated'],
    [config.KAFKA_TOPIC_DELETED, 'ProductDeleted'],
    [config.KAFKA_TOPIC_INTERACTIONS, 'interaction'],
  ])
}

/** How the brokers are reached. @throws StartError without brokers, or when a file cannot be read. */
export function brokersOf(config: KafkaSettings): BrokerSettings {
  if (config.KAFKA_BROKERS === undefined) throw new StartError('Set KAFKA_BROKERS, e.g. to kafka:9092.')
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USER: username, KAFKA_SASL_PASSWORD_FILE: file } = config
  return {
    brokers: config.KAFKA_BROKERS.split(','),
    tls:
      config.KAFKA_TLS === 'off'
        ? undefined
        : {
            ca: pemIn('KAFKA_TLS_CA_FILE', config.KAFKA_TLS_CA_FILE),
            cert: pemIn('KAFKA_TLS_CERT_FILE', config.KAFKA_TLS_CERT_FILE),
            key: pemIn('KAFKA_TLS_KEY_FILE', config.KAFKA_TLS_KEY_FILE),
          },
    sasl:
      mechanism === undefined || username === undefined || file === undefined
        ? undefined
        : { mechanism, username, password: readSecret('KAFKA_SASL_PASSWORD_FILE', file) },
  }
}

function pemIn(setting: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new StartError(`${setting} is ${file}, which cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause })
  }
}

/** Where the consumer says how it is; undefined where Kafka is not read. */
export function consumerUrlOf({
  KAFKA_CONSUMER_URL: url,
  KAFKA_BROKERS: brokers,
  CONSUMER_METRICS_PORT: port,
}: KafkaSettings & { CONSUMER_METRICS_PORT: number }): string | undefined {
  return url?.replace(/\/$/, '') ?? (brokers === undefined ? undefined : `http://127.0.0.1:${port}`)
}
