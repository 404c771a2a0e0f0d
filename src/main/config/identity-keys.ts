import { createPublicKey } from 'node:crypto'
import { base58 } from '@scure/base'
import { type Config, isPublicHost, readSecret } from './config.ts'
import { StartError } from './start-error.ts'

const SETTING = 'RESTATE_IDENTITY_KEY_FILE'

/** The keys of the Restates that may call the service endpoint, as Restate writes them; none when anybody may who reaches it. */
export function identityKeysOf(config: Config): string[] {
  const file = config.RESTATE_IDENTITY_KEY_FILE
  if (file === undefined && isPublicHost(config.ENDPOINT_HOST)) {
    throw new StartError(
      `Others can reach ENDPOINT_HOST (${config.ENDPOINT_HOST}): set ${SETTING} to a file with the public key of Restate, or take ENDPOINT_HOST back.`,
    )
  }
  if (file === undefined) return []
  const blocks = readSecret(SETTING, file).match(/-----BEGIN [\s\S]+?-----END [^-]+-----/g) ?? []
  if (blocks.length === 0) throw new StartError(`${SETTING} is ${file}, which has no PEM block.`)
  return blocks.map((pem) => identityKeyOf(pem, file))
}

function identityKeyOf(pem: string, file: string): string {
  try {
    // Of a private key this is the public half.
    const { kty, crv, x } = createPublicKey(pem).export({ format: 'jwk' })
    if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) return `publickeyv1_${base58.encode(Buffer.from(x, 'base64url'))}`
  } catch (cause) {
    throw new StartError(`${SETTING} is ${file}, which has no key in it.`, { cause })
  }
  throw new StartError(`${SETTING} is ${file}, which has a key of another kind than Ed25519.`)
}
