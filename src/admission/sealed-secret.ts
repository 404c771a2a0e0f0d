import { constants, generateKeyPair, privateDecrypt, publicEncrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { invalidField } from '../contract/decided-error.ts'

const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
/** A text of up to 318 bytes can be encrypted with it. */
const RSA_BITS = 3_072

const SECRET = /^[\x21-\x7e]{16,200}$/

/** New keys, in PEM. Takes about a third of a second of a thread. */
export async function makeSealingKeys(): Promise<{ publicKey: string; privateKey: string }> {
  return promisify(generateKeyPair)('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
}

/** A secret as only the holder of the private key can read it. */
export function sealed(secret: string, publicKey: string): string {
  return publicEncrypt({ key: publicKey, ...OAEP }, Buffer.from(secret)).toString('base64url')
}

/** The secret. @throws DecidedError for a text that was not encrypted with the public key, or whose secret cannot sign. */
export function unsealed(text: string, privateKey: string): string {
  let secret: string
  try {
    secret = privateDecrypt({ key: privateKey, ...OAEP }, Buffer.from(text, 'base64url')).toString()
  } catch {
    throw invalidField('sealed_secret', 'is not encrypted with the public key of SealingKey')
  }
  if (!SECRET.test(secret)) throw invalidField('secret', 'must have 16 to 200 printable ASCII characters without blanks')
  return secret
}
