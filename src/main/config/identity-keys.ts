import { createPublicKey } from 'node:crypto'
import { base58 } from '@scure/base'
import { isPublicHost } from './addresses.ts'
import type { addressSettings } from './address-settings.ts'
import { readSecret } from './secret.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'
import { StartError } from './start-error.ts'

const SETTING = 'RESTATE_IDENTITY_KEY_FILE'

export const identityKeySettings = settingsIn('Access', {
  [SETTING]: text
    .optional()
    .describe(
      'PEM file with one or several public Ed25519 keys. Only a Restate with one of these keys may call the service endpoint; any caller when absent.',
    ),
})

/**
 * The keys of the Restates that may call the service endpoint, in Restate's notation; empty when every caller may.
 * @throws StartError for a bad file, or when other machines can reach an endpoint without keys.
 */
export function identityKeysOf(config: SettingsOf<typeof identityKeySettings & typeof addressSettings>): string[] {
  const file = config[SETTING]
  if (file === undefined && isPublicHost(config.ENDPOINT_HOST)) {
    throw new StartError(
      `Others can reach ENDPOINT_HOST (${config.ENDPOINT_HOST}): set ${SETTING} to a file with the public key of Restate, or unset ENDPOINT_HOST.`,
    )
  }
  if (file === undefined) return []
  const blocks = readSecret(SETTING, file).match(/-----BEGIN [\s\S]+?-----END [^-]+-----/g) ?? []
  if (blocks.length === 0) throw new StartError(`${SETTING} is ${file}, which has no PEM block.`)
  return blocks.map((pem) => identityKeyOf(pem, file))
}

function identityKeyOf(pem: string, file: string): string {
  try {
    // For a private key this returns the public half.
    const { kty, crv, x } = createPublicKey(pem).export({ format: 'jwk' })
    if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) return `publickeyv1_${base58.encode(Buffer.from(x, 'base64url'))}`
  } catch (cause) {
    throw new StartError(`${SETTING} is ${file}, which has no key in it.`, { cause })
  }
  throw new StartError(`${SETTING} is ${file}, which has a key of another kind than Ed25519.`)
}
