import { isIPv4, isIPv6 } from 'node:net'

/** How the two fields that identify a person's device are treated before anything is stored. */
export interface Privacy {
  ipAddress: PrivacyMode
  userAgent: PrivacyMode
}
export const PRIVACY_MODES = ['keep', 'truncate', 'drop'] as const
export type PrivacyMode = (typeof PRIVACY_MODES)[number]

/** Replaces a value that cannot be truncated because it is invalid. The item is then rejected, because no field accepts a list. */
const WITHHELD = ['withheld']

/** An item, checked or not, with its device fields kept, truncated or dropped. */
export function withPrivacy(item: unknown, { ipAddress, userAgent }: Privacy): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
  let changed: Record<string, unknown> | undefined
  const change = (field: string, mode: PrivacyMode, truncate: (text: string) => unknown) => {
    // A field that is null is absent.
    if (mode === 'keep' || !(field in item) || item[field as keyof typeof item] === null) return
    changed ??= { ...item }
    if (mode === 'drop') delete changed[field]
    else changed[field] = typeof changed[field] === 'string' ? truncate(changed[field]) : WITHHELD
  }
  change('ip_address', ipAddress, truncateIp)
  change('user_agent', userAgent, truncateUserAgent)
  return changed ?? item
}

/** A 6to4 address (RFC 3056) has an IPv4 address in its second and third group, and /48 would keep all of it. */
const SIX_TO_FOUR = 0x2002

/** The network of an address: /24 of IPv4, /48 of IPv6. Another text is withheld. */
export function truncateIp(address: string): unknown {
  if (isIPv4(address)) return address.replace(/\d+$/, '0')
  if (!isIPv6(address)) return WITHHELD
  const [first = 0, second = 0, third = 0] = groupsOfIpv6(address)
  const groups = [first, second, first === SIX_TO_FOUR ? third & 0xff00 : third]
  return `${groups.map((group) => group.toString(16)).join(':')}::`
}

/** All eight groups of an address. An IPv4 address at its end is replaced by zeros. */
function groupsOfIpv6(address: string): number[] {
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const groupsOf = (text: string) =>
    text
      .split(':')
      .filter(Boolean)
      .flatMap((group) => (isIPv4(group) ? [0, 0] : [Number.parseInt(group, 16)]))
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')]
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

/** The name of a product, which consists of letters, and its major version. */
const PRODUCT = /^([a-z][a-z._-]*)(?:$|\/(?:(\d{1,4})(?!\d))?)/i

/**
 * The products of a user agent with their major versions. Comments and other words are dropped, because they identify device and
 * system, and so are minor versions and build numbers.
 */
export function truncateUserAgent(text: string): string {
  const products = withoutComments(text).split(/\s+/)
  const kept = products.flatMap((product) => {
    const [, name, major] = PRODUCT.exec(product) ?? []
    if (name === undefined) return []
    return major === undefined ? name : `${name}/${major}`
  })
  return kept.join(' ') || 'unknown'
}

/** Comments are in parentheses and may be nested. An unclosed comment extends to the end. */
function withoutComments(text: string): string {
  let depth = 0
  const kept = text.split(/([()])/).map((part) => {
    if (part === '(') depth++
    else if (part === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0) return part
    return ' '
  })
  return kept.join('')
}
