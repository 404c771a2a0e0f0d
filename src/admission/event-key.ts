import { hash } from 'node:crypto'

/** The namespace of event keys. A constant for ever, because the identity of recorded events depends on it. */
export const EVENT_KEY_NAMESPACE = '7c1e0d2b-5a4f-4b8e-9d36-2f60a1c8e973'

/** The event's id of an event key: its UUIDv5 (RFC 9562, section 5.5) in the namespace of event keys, of its bytes in UTF-8. */
export function eventIdOfKey(key: string): string {
  const digest = hash(
    'sha1',
    Buffer.concat([Buffer.from(EVENT_KEY_NAMESPACE.replaceAll('-', ''), 'hex'), Buffer.from(key)]),
    'hex',
  )
  const variant = ((Number.parseInt(digest[16]!, 16) & 3) | 8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}
