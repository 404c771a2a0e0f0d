import { databaseAddresses } from '../../store/database/addresses.ts'
import { readSecret } from './secret.ts'
import type { addressSettings } from './address-settings.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'
import { databaseUrls } from './several-urls.ts'
import { StartError } from './start-error.ts'

export const standbySettings = settingsIn('Standbys', {
  DATABASE_READ_URL: databaseUrls
    .optional()
    .describe(
      'Streaming standbys of the PostgreSQL at DATABASE_URL, with commas between them. The gateway reads lists, dashboards, reports and recommendations there; they take turns. DATABASE_PASSWORD_FILE is used for them too.',
    ),
  READ_LAG_MS_MAX: wholeNumber(500, 900_000)
    .default(5_000)
    .describe(
      'Maximum age of what a standby shows. While one is further behind, or how far is not known, it is not read, and the primary answers.',
    )
    .meta({ unit: 'ms' }),
})

/** The standbys with their passwords, each with its host and port as its name. */
export function standbyAddressesOf(
  config: SettingsOf<typeof standbySettings> & Pick<SettingsOf<typeof addressSettings>, 'DATABASE_PASSWORD_FILE'>,
): { name: string; url: string }[] {
  const { DATABASE_READ_URL: addresses, DATABASE_PASSWORD_FILE: file } = config
  if (addresses === undefined) return []
  const password = file === undefined ? undefined : encodeURIComponent(readSecret('DATABASE_PASSWORD_FILE', file))
  return databaseAddresses(addresses).map((address) => {
    const url = new URL(address)
    if (url.host === '') throw new StartError('DATABASE_READ_URL has an address without a host: name one.')
    if (password !== undefined) url.password = password
    return { name: `${url.hostname}:${url.port || '5432'}`, url: url.href }
  })
}
