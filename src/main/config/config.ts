import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { RetentionSettings } from '../../../services/handler/deps.ts'
import type { TokenSettings } from '../../gateway/access/seller-tokens.ts'
import type { GatewaySettings } from '../../gateway/server.ts'
import { PRIVACY_MODES, type Privacy } from '../../admission/privacy.ts'
import { StartError } from './start-error.ts'

const Port = z.coerce.number().int().min(1).max(65_535)
const wholeNumber = (min: number, max: number, byDefault: number) => z.coerce.number().int().min(min).max(max).default(byDefault)
const Url = (protocol: RegExp, example: string) => z.url({ protocol, error: `must be a URL such as ${example}` })
const HttpUrl = (example: string) => Url(/^https?$/, example)

/** Everything that can be configured, by environment variable. This object is the reference. */
export const Config = z.object({
  FOOTFALL_HOME: z
    .string()
    .min(1)
    .default('.footfall')
    .describe('Folder of the data, the logs and the password; relative to the checkout.'),
  DATABASE_URL: Url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/footfall')
    .optional()
    .describe('A PostgreSQL 18 that runs; the embedded one when absent.'),
  DATABASE_PASSWORD_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('A file with the password of the user of DATABASE_URL, which then needs none in it.'),
  RESTATE_INGRESS_URL: HttpUrl('http://127.0.0.1:8080')
    .optional()
    .describe('The ingress of a Restate 1.7 that runs; the embedded one when absent.'),
  RESTATE_ADMIN_URL: HttpUrl('http://127.0.0.1:9070').optional().describe('The admin port of that Restate.'),
  FOOTFALL_ENDPOINT_URL: HttpUrl('http://127.0.0.1:9080')
    .optional()
    .describe('Where Restate reaches the service endpoint; http://127.0.0.1:ENDPOINT_PORT when absent.'),
  ENDPOINT_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address that the service endpoint and its metrics listen on. One that others can reach needs RESTATE_IDENTITY_KEY_FILE.',
    ),
  RESTATE_IDENTITY_KEY_FILE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A PEM file with the public Ed25519 key of the Restate that may call the service endpoint, or several; whoever reaches it when absent.',
    ),
  GATEWAY_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that the gateway listens on. One that others can reach needs a key first: ./footfall key create.'),
  GATEWAY_PORT: Port.default(3000).describe('Port of the gateway (REST).'),
  RESTATE_INGRESS_PORT: Port.default(8080).describe('Port of the embedded Restate ingress.'),
  RESTATE_ADMIN_PORT: Port.default(9070).describe('Port of the embedded Restate admin API and UI.'),
  RESTATE_NODE_PORT: Port.default(5122).describe('Port of the embedded Restate node.'),
  ENDPOINT_PORT: Port.default(9080).describe('Port of the service endpoint.'),
  ENDPOINT_METRICS_PORT: Port.default(9081).describe("Port of the service endpoint's metrics."),
  POSTGRES_PORT: Port.default(5433).describe('Port of the embedded PostgreSQL.'),
  POPULARITY_WEIGHTS: z
    .string()
    .min(1)
    .optional()
    .describe('balanced, storefront, or a JSON file of event type → weight; balanced when absent and nothing is stored.'),
  POPULARITY_HALF_LIFE_HOURS: z.coerce
    .number()
    .min(1)
    .max(8_760)
    .optional()
    .describe('Half-life of trending; 72 when absent and nothing is stored.')
    .meta({ unit: 'h' }),
  POPULARITY_WINDOW_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .optional()
    .describe('Days that trending looks back; 7 when absent and nothing is stored.')
    .meta({ unit: 'days' }),
  RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(32)
    .max(36_500)
    .optional()
    .describe(
      'Months of the log that ended more than so many days ago are dropped; none when absent. At least 32, so that the events of the last month can still be replayed, and known as duplicates.',
    )
    .meta({ unit: 'days' }),
  ROLL_UP_AFTER_DAYS: z.coerce
    .number()
    .int()
    .min(400)
    .max(36_500)
    .optional()
    .describe(
      'Counts per hour that are so many days old become counts per day; never when absent. At least 400, so that no window of up to 365 days meets them.',
    )
    .meta({ unit: 'days' }),
  DATABASE_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(10)
    .describe('Most connections to PostgreSQL of the gateway, of recording, and of counting, each.')
    .meta({ unit: 'connections' }),
  ENDPOINT_PROCESSES: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe('Processes of the service endpoint, behind one port. Each has connections to PostgreSQL of its own.')
    .meta({ unit: 'processes' }),
  PAYMENT_SECRET_FILE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A file with the secret that payment callbacks are signed with, or two while it changes, one per line; npm start makes one in FOOTFALL_HOME when absent.',
    ),
  PAYMENT_ADAPTERS: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Files of JavaScript modules, with commas, each of which maps a payment provider's webhooks (docs/payments.md); relative to the checkout.",
    ),
  TRUSTED_PROXIES: z
    .string()
    .refine((text) => text.split(',').every((one) => isNetwork(one.trim())), {
      error: 'must be addresses and networks with commas, such as 10.0.0.7,192.168.0.0/16',
    })
    .optional()
    .describe('Addresses and networks of the proxies before the gateway, with commas: their X-Forwarded-For is believed.'),
  RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000, 60_000)
    .describe('Requests a minute of a secret key that has no limit of its own, and of the tokens of a seller.')
    .meta({ unit: 'requests/min' }),
  PUBLISHABLE_RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000, 600)
    .describe('Requests a minute of a publishable key that has no limit of its own, from each client address.')
    .meta({ unit: 'requests/min' }),
  SELLER_JWKS_URL: HttpUrl('https://login.example/.well-known/jwks.json')
    .optional()
    .describe(
      "Where the issuer of sellers' tokens (JWT) publishes its keys, as a JWKS; no tokens when absent. It needs the next two.",
    ),
  SELLER_JWT_ISSUER: z.string().min(1).optional().describe('What a token must have as its issuer (iss).'),
  SELLER_JWT_AUDIENCE: z.string().min(1).optional().describe('What a token must have as its audience (aud), or among several.'),
  SELLER_JWT_CLAIM: z.string().min(1).default('seller_id').describe('The claim of a token with the id of its seller.'),
  PRIVACY_IP_ADDRESS: z
    .enum(PRIVACY_MODES)
    .default('keep')
    .describe('ip_address of an event before anything is stored: keep, truncate (to /24, of IPv6 /48) or drop.'),
  PRIVACY_USER_AGENT: z
    .enum(PRIVACY_MODES)
    .default('keep')
    .describe('user_agent of an event before anything is stored: keep, truncate (products and major versions) or drop.'),
  TOP_CACHE_MS: wholeNumber(0, 900_000, 1_000)
    .describe('How old an answer of the top list may be; 0 asks the database each time.')
    .meta({ unit: 'ms' }),
  POPULAR_CACHE_MS: wholeNumber(0, 900_000, 1_000)
    .describe('How old an answer of the lists of popular products may be; 0 asks the database each time.')
    .meta({ unit: 'ms' }),
  FLUSHES_MAX: wholeNumber(1, 64, 4)
    .describe('Calls with the events of many requests that the gateway makes at once.')
    .meta({ unit: 'calls' }),
  QUEUE_EVENTS_MAX: wholeNumber(10_000, 10_000_000, 50_000)
    .describe('Events that wait in the gateway before requests get 503.')
    .meta({ unit: 'events' }),
  QUEUE_MIB_MAX: wholeNumber(16, 4_096, 32).describe('The same by the size of their bodies.').meta({ unit: 'MiB' }),
  RETRY_ATTEMPTS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .default(120)
    .describe('Attempts of a failing handler before it pauses; with the default about an hour.')
    .meta({ unit: 'attempts' }),
  RETRY_INTERVAL_MS_MAX: z.coerce
    .number()
    .int()
    .min(50)
    .default(30_000)
    .describe('Longest pause between two attempts.')
    .meta({ unit: 'ms' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: HttpUrl('http://127.0.0.1:4318')
    .optional()
    .describe('Base address of an OpenTelemetry receiver over HTTP, as http://127.0.0.1:4318; no traces when absent.'),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(/^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$/, { error: 'must be name=value, several with commas' })
    .optional()
    .describe('Headers for that receiver, as name=value,name=value.'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Part of the traces that is kept, from 0 to 1; a caller that sends a traceparent decides for its own.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Lowest level that is logged.'),
})
export type Config = z.infer<typeof Config>

/** An address, alone or with the bits of its network. */
function isNetwork(text: string): boolean {
  const [address = '', bits = '1', ...more] = text.split('/')
  const bitsMax = isIP(address) === 4 ? 32 : 128
  return isIP(address) > 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= bitsMax
}

/** The checkout: where restate.toml and sql/ are. */
export const CHECKOUT = resolve(import.meta.dirname, '..', '..', '..')

/** Reads the configuration once. @throws StartError that names every variable that is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const parsed = Config.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${demandOf(issue)}`)
    throw new StartError(`Change these environment variables: ${problems.join('; ')}.`)
  }
  const config = parsed.data
  if ((config.RESTATE_INGRESS_URL === undefined) !== (config.RESTATE_ADMIN_URL === undefined)) {
    throw new StartError('Set both RESTATE_INGRESS_URL and RESTATE_ADMIN_URL, or neither.')
  }
  const ofTokens = [config.SELLER_JWKS_URL, config.SELLER_JWT_ISSUER, config.SELLER_JWT_AUDIENCE]
  if (ofTokens.includes(undefined) && ofTokens.some((one) => one !== undefined)) {
    throw new StartError('Set all of SELLER_JWKS_URL, SELLER_JWT_ISSUER and SELLER_JWT_AUDIENCE, or none.')
  }
  return withPassword({ ...config, FOOTFALL_HOME: resolve(CHECKOUT, config.FOOTFALL_HOME) })
}

function withPassword(config: Config): Config {
  if (config.DATABASE_PASSWORD_FILE === undefined) return config
  if (config.DATABASE_URL === undefined)
    throw new StartError('DATABASE_PASSWORD_FILE is set: set DATABASE_URL too, or take it back.')
  const url = new URL(config.DATABASE_URL)
  // An address without a host takes no password, and says nothing.
  if (url.host === '') throw new StartError('DATABASE_PASSWORD_FILE is set: name a host in DATABASE_URL, or take it back.')
  url.password = encodeURIComponent(readSecret('DATABASE_PASSWORD_FILE', config.DATABASE_PASSWORD_FILE))
  return { ...config, DATABASE_URL: url.href }
}

/** What is in the file of a secret, without the end of its line. @throws StartError that names the setting, when it cannot be read. */
export function readSecret(setting: string, file: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim()
    if (secret !== '') return secret
  } catch (cause) {
    throw new StartError(`${setting} is ${file}, which cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause })
  }
  throw new StartError(`${setting} is ${file}, which is empty.`)
}

/** What a variable must be. Its value is not shown: it may hold a password. */
function demandOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be a ${issue.expected === 'int' ? 'whole number' : issue.expected}`
  if (issue.code === 'too_small') return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  return issue.message
}

export interface Addresses {
  ingressUrl: string
  adminUrl: string
  endpointUrl: string
  gatewayUrl: string
}

/** Where everything listens, embedded or not. */
export function addressesOf(config: Config): Addresses {
  return {
    ingressUrl: config.RESTATE_INGRESS_URL ?? `http://127.0.0.1:${config.RESTATE_INGRESS_PORT}`,
    adminUrl: config.RESTATE_ADMIN_URL ?? `http://127.0.0.1:${config.RESTATE_ADMIN_PORT}`,
    endpointUrl: config.FOOTFALL_ENDPOINT_URL ?? `http://127.0.0.1:${config.ENDPOINT_PORT}`,
    gatewayUrl: `http://${hostOf(config.GATEWAY_HOST)}:${config.GATEWAY_PORT}`,
  }
}

/** How this machine reaches an address that is listened on. */
function hostOf(listening: string): string {
  if (listening === '0.0.0.0' || listening === '::') return '127.0.0.1'
  return listening.includes(':') ? `[${listening}]` : listening
}

/** Whether others than this machine can reach the gateway. */
export function isPublic(config: Config): boolean {
  return isPublicHost(config.GATEWAY_HOST)
}

/** Whether others than this machine can reach an address that is listened on. */
export function isPublicHost(host: string): boolean {
  return !['127.0.0.1', '::1', 'localhost'].includes(host)
}

export function gatewaySettingsOf(config: Config): GatewaySettings {
  return {
    isPublic: isPublic(config),
    trustedProxies: config.TRUSTED_PROXIES,
    rateLimits: {
      secretPerMinute: config.RATE_LIMIT_PER_MINUTE,
      publishablePerMinute: config.PUBLISHABLE_RATE_LIMIT_PER_MINUTE,
    },
    privacy: privacyOf(config),
    topCacheMs: config.TOP_CACHE_MS,
    popularCacheMs: config.POPULAR_CACHE_MS,
    // PostgreSQL's processors are not known; as many as are here is a guess, and half the connections are left to others.
    addedUpAtOnce: Math.max(1, Math.min(availableParallelism(), config.DATABASE_CONNECTIONS >> 1)),
    reportsAtOnce: Math.max(1, config.DATABASE_CONNECTIONS >> 1),
  }
}

/** Undefined when tokens are not used. */
export function tokenSettingsOf(config: Config): TokenSettings | undefined {
  const { SELLER_JWKS_URL: jwksUrl, SELLER_JWT_ISSUER: issuer, SELLER_JWT_AUDIENCE: audience, SELLER_JWT_CLAIM: claim } = config
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  return { jwksUrl, issuer, audience, claim }
}

export function queueLimitsOf(config: Config) {
  return {
    flushesMax: config.FLUSHES_MAX,
    queueEventsMax: config.QUEUE_EVENTS_MAX,
    queueBytesMax: config.QUEUE_MIB_MAX * 1024 * 1024,
  }
}

export function retentionOf(config: Config): RetentionSettings {
  return { retentionDays: config.RETENTION_DAYS, rollUpAfterDays: config.ROLL_UP_AFTER_DAYS }
}

export function privacyOf(config: Config): Privacy {
  return { ipAddress: config.PRIVACY_IP_ADDRESS, userAgent: config.PRIVACY_USER_AGENT }
}
