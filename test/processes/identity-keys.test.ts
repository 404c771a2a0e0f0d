import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { identityKeysOf } from '../../src/main/config/identity-keys.ts'
import { StartError } from '../../src/main/config/start-error.ts'

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-keys-'))
  file = join(folder, 'identity.pem')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function keysIn(text: string): Promise<string[]> {
  await writeFile(file, text)
  return identityKeysOf(readConfig({ RESTATE_IDENTITY_KEY_FILE: file }))
}

const publicPem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string
const privatePem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string
const ed25519 = () => generateKeyPairSync('ed25519')
const rawOf = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url').toString('hex')

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** The 32 bytes of a key as Restate writes it, as hex. */
function decoded(key: string): string {
  const [, text] = /^publickeyv1_(\w+)$/.exec(key)!
  const number = text!.split('').reduce((sum, letter) => sum * 58n + BigInt(ALPHABET.indexOf(letter)), 0n)
  return number.toString(16).padStart(64, '0')
}

test('the public key of RFC 8032, test 1, is written as base58 of its bytes', async () => {
  const x = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), x]).toString('base64')
  const keys = await keysIn(`-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`)
  expect(keys).toEqual(['publickeyv1_FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z'])
})

test('public keys, and the public half of private ones, are written as their 32 bytes', async () => {
  const { publicKey, privateKey } = ed25519()
  const [key] = (await keysIn(publicPem(publicKey))) as [string]
  expect(decoded(key)).toBe(rawOf(publicKey))
  expect(await keysIn(privatePem(privateKey))).toEqual([key])
})

test('a file with several keys and text between them gives the keys in their order', async () => {
  const [old, fresh] = [ed25519().publicKey, ed25519().publicKey]
  const keys = await keysIn(`# until May\n${publicPem(old)}\n# from May on\n${publicPem(fresh)}`)
  expect(keys.map(decoded)).toEqual([rawOf(old), rawOf(fresh)])
})

test('without a file an endpoint that others can reach is refused', () => {
  expect(identityKeysOf(readConfig({}))).toEqual([])
  for (const ENDPOINT_HOST of ['0.0.0.0', '::', '10.0.0.7']) {
    expect(() => identityKeysOf(readConfig({ ENDPOINT_HOST }))).toThrow(
      new StartError(
        `Others can reach ENDPOINT_HOST (${ENDPOINT_HOST}): set RESTATE_IDENTITY_KEY_FILE to a file with the public key of Restate, or unset ENDPOINT_HOST.`,
      ),
    )
  }
})

test('with a file an endpoint that others can reach is accepted', async () => {
  await writeFile(file, publicPem(ed25519().publicKey))
  expect(identityKeysOf(readConfig({ ENDPOINT_HOST: '0.0.0.0', RESTATE_IDENTITY_KEY_FILE: file }))).toHaveLength(1)
})

const rsa = () => publicPem(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey)
const x25519 = () => publicPem(generateKeyPairSync('x25519').publicKey)

test.each<[string, () => string, string]>([
  ['an RSA key', rsa, 'which has a key of another kind than Ed25519.'],
  ['an X25519 key', x25519, 'which has a key of another kind than Ed25519.'],
  ['an RSA key after a good one', () => publicPem(ed25519().publicKey) + rsa(), 'which has a key of another kind than Ed25519.'],
  ['a block without a key', () => '-----BEGIN PUBLIC KEY-----\nbm9uZQ==\n-----END PUBLIC KEY-----', 'which has no key in it.'],
  ['no block', () => 'publickeyv1_abc', 'which has no PEM block.'],
  ['nothing', () => '\n', 'which is empty.'],
])('a file with %s is refused with one sentence', async (_what, text, sentence) => {
  await expect(keysIn(text())).rejects.toThrow(new StartError(`RESTATE_IDENTITY_KEY_FILE is ${file}, ${sentence}`))
})

test('a missing file is refused with one sentence', () => {
  const missing = join(folder, 'missing.pem')
  expect(() => identityKeysOf(readConfig({ RESTATE_IDENTITY_KEY_FILE: missing }))).toThrow(
    new StartError(`RESTATE_IDENTITY_KEY_FILE is ${missing}, which cannot be read (ENOENT).`),
  )
})
