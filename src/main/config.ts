import { resolve } from 'node:path'
import { z } from 'zod'
import { StartError } from './embedded/process.ts'

const Port = z.coerce.number().int().min(1).max(65_535)
const Url = (protocols: RegExp) => z.url({ protocol: protocols })

/** Everything that can be configured, by environment variable. This object is the reference. */
export const Config = z.object({
  FOOTFALL_HOME: z
    .string()
    .min(1)
    .default('.footfall')
    .describe('Folder of the data, the logs and the password; relative to the checkout.'),
  DATABASE_URL: Url(/^postgres(ql)?$/)
    .optional()
    .describe('A PostgreSQL 18 that runs; the embedded one when absent.'),
  RESTATE_INGRESS_URL: Url(/^https?$/)
    .optional()
    .describe('The ingress of a Restate 1.7 that runs; the embedded one when absent.'),
  RESTATE_ADMIN_URL: Url(/^https?$/)
    .optional()
    .describe('The admin port of that Restate.'),
  FOOTFALL_ENDPOINT_URL: Url(/^https?$/)
    .optional()
    .describe('Where Restate reaches the service endpoint; http://127.0.0.1:<port> when absent.'),
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
    .describe('Half-life of trending in hours; 72 when absent and nothing is stored.'),
  POPULARITY_WINDOW_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .optional()
    .describe('Days that trending looks back; 7 when absent and nothing is stored.'),
  DATABASE_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(10)
    .describe('Most connections to PostgreSQL of the gateway, of recording, and of counting, each.'),
  RETRY_ATTEMPTS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .default(120)
    .describe('Attempts of a failing handler before it pauses; with the default about an hour.'),
  RETRY_INTERVAL_MS_MAX: z.coerce
    .number()
    .int()
    .min(50)
    .default(30_000)
    .describe('Longest pause between two attempts, in milliseconds.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: Url(/^https?$/)
    .optional()
    .describe('Base address of an OpenTelemetry receiver over HTTP, as http://127.0.0.1:4318; no traces when absent.'),
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional().describe('Headers for that receiver, as name=value,name=value.'),
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

/** The checkout: where restate.toml and sql/ are. */
export const CHECKOUT = resolve(import.meta.dirname, '..', '..')

/** Reads the configuration once. @throws StartError that names every variable that is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const parsed = Config.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new StartError(`Change these environment variables: ${problems.join('; ')}.`)
  }
  const config = parsed.data
  if ((config.RESTATE_INGRESS_URL === undefined) !== (config.RESTATE_ADMIN_URL === undefined)) {
    throw new StartError('Set both RESTATE_INGRESS_URL and RESTATE_ADMIN_URL, or neither.')
  }
  return { ...config, FOOTFALL_HOME: resolve(CHECKOUT, config.FOOTFALL_HOME) }
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
    gatewayUrl: `http://127.0.0.1:${config.GATEWAY_PORT}`,
  }
}
