import { z } from 'zod'
import { Config } from '../../main/config/config.ts'

type Group = (typeof GROUPS)[number]

const GROUPS = [
  'Data and addresses',
  'Ports',
  'Popularity',
  'Keeping',
  'Access',
  'Privacy',
  'Capacity',
  'Failing handlers',
  'Logs and traces',
] as const

/** A setting that is in no group does not compile. */
const GROUP_OF: Record<keyof Config, Group> = {
  FOOTFALL_HOME: 'Data and addresses',
  DATABASE_URL: 'Data and addresses',
  DATABASE_PASSWORD_FILE: 'Data and addresses',
  RESTATE_INGRESS_URL: 'Data and addresses',
  RESTATE_ADMIN_URL: 'Data and addresses',
  FOOTFALL_ENDPOINT_URL: 'Data and addresses',
  ENDPOINT_HOST: 'Data and addresses',
  GATEWAY_HOST: 'Data and addresses',
  GATEWAY_PORT: 'Ports',
  RESTATE_INGRESS_PORT: 'Ports',
  RESTATE_ADMIN_PORT: 'Ports',
  RESTATE_NODE_PORT: 'Ports',
  ENDPOINT_PORT: 'Ports',
  ENDPOINT_METRICS_PORT: 'Ports',
  POSTGRES_PORT: 'Ports',
  POPULARITY_WEIGHTS: 'Popularity',
  POPULARITY_HALF_LIFE_HOURS: 'Popularity',
  POPULARITY_WINDOW_DAYS: 'Popularity',
  RETENTION_DAYS: 'Keeping',
  ROLL_UP_AFTER_DAYS: 'Keeping',
  RESTATE_IDENTITY_KEY_FILE: 'Access',
  PAYMENT_SECRET_FILE: 'Access',
  PAYMENT_ADAPTERS: 'Access',
  TRUSTED_PROXIES: 'Access',
  RATE_LIMIT_PER_MINUTE: 'Access',
  PUBLISHABLE_RATE_LIMIT_PER_MINUTE: 'Access',
  SELLER_JWKS_URL: 'Access',
  SELLER_JWT_ISSUER: 'Access',
  SELLER_JWT_AUDIENCE: 'Access',
  SELLER_JWT_CLAIM: 'Access',
  PRIVACY_IP_ADDRESS: 'Privacy',
  PRIVACY_USER_AGENT: 'Privacy',
  DATABASE_CONNECTIONS: 'Capacity',
  ENDPOINT_PROCESSES: 'Capacity',
  TOP_CACHE_MS: 'Capacity',
  POPULAR_CACHE_MS: 'Capacity',
  FLUSHES_MAX: 'Capacity',
  QUEUE_EVENTS_MAX: 'Capacity',
  QUEUE_MIB_MAX: 'Capacity',
  RETRY_ATTEMPTS_MAX: 'Failing handlers',
  RETRY_INTERVAL_MS_MAX: 'Failing handlers',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'Logs and traces',
  OTEL_EXPORTER_OTLP_HEADERS: 'Logs and traces',
  OTEL_TRACES_SAMPLER_ARG: 'Logs and traces',
  LOG_LEVEL: 'Logs and traces',
}

const HEAD = `# Configuration

Every setting is an environment variable. They are read once, at the start; a wrong one is named with what is wrong about it.
Where there is no default, the meaning says what holds without it.

\`npm run docs\` writes this page from \`src/main/config/config.ts\`.
`

const TABLE_HEAD = '| variable | meaning | unit | default | allowed |\n| --- | --- | --- | --- | --- |'

interface Setting {
  description?: string
  default?: string | number
  unit?: string
  minimum?: number
  maximum?: number
  enum?: string[]
}

/** The reference of all settings as Markdown, not yet formatted. */
export function configurationReference(): string {
  const { properties } = z.toJSONSchema(Config, { io: 'input' })
  const settings = Object.entries(properties as Record<string, Setting>)
  const sections = GROUPS.map((group) => {
    const rows = settings.filter(([name]) => GROUP_OF[name as keyof Config] === group).map(rowOf)
    return `## ${group}\n\n${TABLE_HEAD}\n${rows.join('\n')}\n`
  })
  return [HEAD, ...sections].join('\n')
}

function rowOf([name, setting]: [string, Setting]): string {
  const { description = '', default: byDefault, unit = '' } = setting
  const shown = byDefault === undefined ? '' : `\`${byDefault}\``
  return `| \`${name}\` | ${description.replaceAll('|', String.raw`\|`)} | ${unit} | ${shown} | ${allowedOf(setting)} |`
}

/** The bounds of a number, or the names that may be chosen. */
function allowedOf({ enum: names, minimum, maximum = Number.MAX_SAFE_INTEGER }: Setting): string {
  if (names !== undefined) return names.map((name) => `\`${name}\``).join(', ')
  if (minimum === undefined) return ''
  return maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `from ${minimum}`
}
