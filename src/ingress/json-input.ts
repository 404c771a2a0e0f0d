import type { Serde } from '@restatedev/restate-sdk-clients'

/** For an input that is JSON already: the bytes are sent as they are. */
export const JSON_INPUT: Serde<never> = {
  contentType: 'application/json',
  serialize: (body: Uint8Array) => body,
  deserialize: () => {
    throw new Error('nothing is read with this')
  },
}
