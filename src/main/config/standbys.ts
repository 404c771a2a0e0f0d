import type { addressSettings } from './addresses.ts'
import { readSecret } from './secret.ts'
import { settingsIn, type SettingsOf, text, wholeNumber } from './setting.ts'
import { StartError } from './start-error.ts'

export const standbySettings = settingsIn('Standbys', {
  DATABASE_READ_URL: text
    .refine((value) => value.split(',').every(isPostgresUrl), {
      error: 'must be a URL such as postgres://user:password@standby:5432/footfall, or several separated by commas',
    })
    .optional()
    .describe(
      'Streaming standbys of the PostgreSQL at DATABASE_URL, separated by commas. The gateway reads lists, dashboards, reports and recommendations there; they take turns. DATABASE_PASSWORD_FILE is used for them too.',
    ),
  READ_LAG_MS_MAX: wholeNumber(500, 900_000)
    .default(5_000)
    .describe(
      'Maximum age of what a standby shows. While one is further behind, or how far is not known, it is not read, and the primary answers.',
    )
    .meta({ unit: 'ms' }),
})

function isPostgresUrl(value: string): boolean {
  return URL.canParse(value) && /^postgres(ql)?:$/.test(new URL(value).protocol) && new URL(value).hostname !== ''
}

/** The standbys with their passwords, each with its host and port as its name. */
export function standbyAddressesOf(
  config: SettingsOf<typeof standbySettings> & Pick<SettingsOf<typeof addressSettings>, 'DATABASE_PASSWORD_FILE'>,
): { name: string; url: string }[] {
  const { DATABASE_READ_URL: addresses, DATABASE_PASSWORD_FILE: file } = config
  if (addresses === undefined) return []
  const found = addresses.split(',').map((address) => {
    const url = new URL(address)
    if (file !== undefined) url.password = encodeURIComponent(readSecret('DATABASE_PASSWORD_FILE', file))
    return { name: `${url.hostname}:${url.port || '5432'}`, url: url.href }
  })
  if (new Set(found.map(({ name }) => name)).size < found.length)
    throw new StartError('DATABASE_READ_URL names a standby twice: name each of them once.')
  return found
}
