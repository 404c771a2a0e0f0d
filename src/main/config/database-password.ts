import { databaseAddresses } from '../../store/database/addresses.ts'
import type { addressSettings } from './address-settings.ts'
import { readSecret } from './secret.ts'
import type { SettingsOf } from './setting.ts'
import { StartError } from './start-error.ts'

type AddressSettings = Pick<SettingsOf<typeof addressSettings>, 'DATABASE_URL' | 'DATABASE_PASSWORD_FILE'>

/** DATABASE_URL with the password of DATABASE_PASSWORD_FILE. @throws StartError when one of them cannot be used. */
export function databaseUrlWithPassword({
  DATABASE_URL: address,
  DATABASE_PASSWORD_FILE: file,
}: AddressSettings): string | undefined {
  if (file === undefined) return address
  if (address === undefined) throw new StartError('DATABASE_PASSWORD_FILE is set: set DATABASE_URL too, or unset it.')
  const password = encodeURIComponent(readSecret('DATABASE_PASSWORD_FILE', file))
  const addresses = databaseAddresses(address).map((each) => {
    const url = new URL(each)
    // Assigning a password to an address without a host has no effect and is no error.
    if (url.host === '') throw new StartError('DATABASE_PASSWORD_FILE is set: name a host in DATABASE_URL, or unset it.')
    url.password = password
    return url.href
  })
  return addresses.join(',')
}
