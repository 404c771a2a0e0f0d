import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { TokenSettings } from '../../../src/gateway/access/seller-tokens.ts'

export interface SigningKey {
  alg: string
  kid: string
  privateKey: CryptoKey
  publicJwk: JWK
}

export async function makeSigningKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid } }
}

export interface TokenIssuer {
  settings: TokenSettings
  /** The number of requests for its keys. */
  asked: () => number
  publish: (...keys: SigningKey[]) => void
  /** Answers like this from now on. */
  become: (answer: RequestListener) => void
  stop: () => Promise<void>
}

/** An issuer of tokens on a free port. */
export async function startTokenIssuer(): Promise<TokenIssuer> {
  let asked = 0
  let answer: RequestListener = (_request, response) => void response.end('{"keys":[]}')
  const server = createServer((request, response) => {
    asked++
    answer(request, response)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const become = (changed: RequestListener) => {
    answer = changed
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    settings: { jwksUrl: `${url}/jwks`, issuer: url, audience: 'footfall', claim: 'seller_id' },
    asked: () => asked,
    publish: (...keys) => {
      const body = JSON.stringify({ keys: keys.map((key) => key.publicJwk) })
      become((_request, response) => void response.end(body))
    },
    become,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

/** A claim that is undefined is omitted. */
export type Claims = Record<string, unknown>

/** The claims of a valid token. */
export function claimsOf({ settings }: TokenIssuer, sellerId: string): Claims {
  return {
    iss: settings.issuer,
    aud: settings.audience,
    exp: Math.floor(Date.now() / 1_000) + 3_600,
    [settings.claim]: sellerId,
  }
}

/** A token with these claims, signed with the key. */
export function sign({ alg, kid, privateKey }: SigningKey, claims: Claims, header = {}): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(privateKey)
}

/** The encoding of the header and the claims in a token. */
export function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
