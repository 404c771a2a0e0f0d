import { settingsIn, type SettingsOf, text } from './setting.ts'

const IN_POSTGRESQL = 'postgresql'

export const metricsStoreSettings = settingsIn('Metrics of the catalog', {
  METRICS_STORE: text
    .refine(isStore, {
      error:
        'must be postgresql, or an address such as dynamodb://footfall-metrics?region=eu-central-1, whose table has 3 to 255 of A-Z, a-z, 0-9, ".", "_" and "-"',
    })
    .default(IN_POSTGRESQL)
    .describe(
      "Where the history of metrics is: postgresql, or dynamodb://table with ?region= and ?endpoint= where the environment of AWS's SDK does not say them.",
    ),
})

/** The table of DynamoDB that has the history; undefined when PostgreSQL has it. */
export function dynamoPlaceOf({ METRICS_STORE: store }: SettingsOf<typeof metricsStoreSettings>) {
  if (store === IN_POSTGRESQL) return undefined
  const { hostname: table, searchParams } = new URL(store)
  return { table, region: searchParams.get('region') ?? undefined, endpoint: searchParams.get('endpoint') ?? undefined }
}

function isStore(store: string): boolean {
  if (store === IN_POSTGRESQL) return true
  const url = URL.parse(store)
  if (url === null) return false
  const { protocol, hostname, port, username, password, pathname, hash, searchParams } = url
  const endpoint = searchParams.get('endpoint')
  return (
    protocol === 'dynamodb:' &&
    /^[a-zA-Z0-9_.-]{3,255}$/.test(hostname) &&
    [port, username, password, pathname, hash].every((part) => part === '') &&
    [...searchParams.keys()].every((name) => name === 'region' || name === 'endpoint') &&
    (endpoint === null || /^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
  )
}
