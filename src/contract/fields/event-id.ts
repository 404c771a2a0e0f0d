import { z } from 'zod'
import { Id } from './id.ts'
import { millisecondsOf } from './time.ts'
import { unlessMissing } from './zod-messages.ts'

/** Programs send the nil and the max UUID (RFC 9562, section 5.9) for "none", so all of their events would be one. */
const NO_IDS = /^(?:0{8}(?:-0{4}){3}-0{12}|f{8}(?:-f{4}){3}-f{12})$/i

/** The id of an event: a UUID of any version. */
export const EventId = z
  .guid({ error: unlessMissing('must be a UUID; another id can be the event_key'), abort: true })
  .refine((uuid) => !NO_IDS.test(uuid), { error: 'must not be the nil or the max UUID, which identify nothing' })

/** What programs write for a value that they do not have. As a key it would make one event of many. */
const NO_KEYS = new Set(['null', 'undefined', 'none', 'nil', 'nan', '[object object]'])

/** Any other id of an event. */
export const EventKey = Id.refine(
  (key) => key.trim() !== '' && !NO_KEYS.has(key.trim().toLowerCase()) && !NO_IDS.test(key.trim()),
  {
    error: 'must identify the event: it is blank, or means that there is no id',
  },
)

/** The time in a UUIDv7, in milliseconds since 1970 (RFC 9562, section 5.7); undefined for every other version. */
export function timeOfUuidV7(uuid: string): number | undefined {
  if (uuid[14] !== '7' || !'89abAB'.includes(uuid[19] ?? '')) return undefined
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16)
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The UUIDv7 of a millisecond since 1970, its other 74 bits taken from `bytes` (at least 10, random or a hash). */
export function uuidV7(milliseconds: number, bytes: Uint8Array): string {
  const time = milliseconds.toString(16).padStart(12, '0')
  let rest = ''
  for (let place = 0; place < 10; place++) rest += HEX[bytes[place]!]
  const variant = (8 + (bytes[2]! & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(5, 8)}-${rest.slice(8, 20)}`
}

/** A UUIDv7 with another time (in ms since 1970) and the same other bits. */
export function uuidV7WithTime(uuid: string, milliseconds: number): string {
  const time = milliseconds.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}${uuid.slice(13)}`
}

/** A UUIDv7 has 48 bits of milliseconds. */
const UUID_MS_MAX = 2 ** 48 - 1

/** An event's time in milliseconds, for its UUIDv7; undefined when it is not a time or does not fit into a UUIDv7. */
export function timeForUuidV7(occurredAt: unknown): number | undefined {
  const milliseconds = typeof occurredAt === 'string' ? millisecondsOf(occurredAt) : Number.NaN
  return milliseconds >= 0 && milliseconds <= UUID_MS_MAX ? milliseconds : undefined
}
