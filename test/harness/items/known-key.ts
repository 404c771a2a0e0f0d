import type { SecretApiKey } from '../../../src/store/access/api-key.ts'
import type { GatewayChanges } from '../servers/gateway.ts'

/** A key that is in no database. */
export const SECRET_KEY: SecretApiKey = {
  ...{ keyId: 'k', name: 'k', scopes: ['ingest'], isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null },
  ...{ createdAt: new Date(), revokedAt: null, lastUsedAt: null, secretSha256: Buffer.alloc(32) },
}

/** Tokens are not used, and no browser has signed in. */
export const ONLY_KEYS = { sellerOfToken: undefined, sessionOf: async () => undefined, noteUse: () => undefined }

/** A gateway that takes every text for this key. */
export function withKey(key: SecretApiKey): GatewayChanges {
  return { access: { ...ONLY_KEYS, keys: async () => ({ areUsed: true, find: () => key, ofId: () => key, origins: new Set() }) } }
}
