import type { TokenSettings } from '../../gateway/access/seller-tokens.ts'
import { httpUrl, settingsIn, type SettingsOf, text } from './setting.ts'

export const sellerTokenSettings = settingsIn('Access', {
  SELLER_JWKS_URL: httpUrl('https://login.example/.well-known/jwks.json')
    .optional()
    .describe(
      "Address of the keys (JWKS) of the issuer of sellers' tokens (JWT); no tokens when absent. It requires the next two settings.",
    ),
  SELLER_JWT_ISSUER: text.optional().describe('Issuer (iss) that a token must have.'),
  SELLER_JWT_AUDIENCE: text.optional().describe('Audience (aud) that a token must have, alone or among others.'),
  SELLER_JWT_CLAIM: text.default('seller_id').describe('Claim of a token that has the id of its seller.'),
})

type SellerTokenSettings = SettingsOf<typeof sellerTokenSettings>

/** Undefined when sellers have no tokens. */
export function tokenSettingsOf(config: SellerTokenSettings): TokenSettings | undefined {
  const { SELLER_JWKS_URL: jwksUrl, SELLER_JWT_ISSUER: issuer, SELLER_JWT_AUDIENCE: audience, SELLER_JWT_CLAIM: claim } = config
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  return { jwksUrl, issuer, audience, claim }
}

/** What is wrong with the settings together; undefined when nothing is. */
export function sellerTokenProblem(config: SellerTokenSettings): string | undefined {
  const together = [config.SELLER_JWKS_URL, config.SELLER_JWT_ISSUER, config.SELLER_JWT_AUDIENCE]
  const isSet = together.map((value) => value !== undefined)
  if (isSet.every(Boolean) || !isSet.some(Boolean)) return undefined
  return 'Set all of SELLER_JWKS_URL, SELLER_JWT_ISSUER and SELLER_JWT_AUDIENCE, or none.'
}
