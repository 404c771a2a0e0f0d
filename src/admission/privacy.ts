import { isIPv4, isIPv6 } from 'node:net'

/** What becomes of the two fields that tell a person's device, before anything is stored. */
export interface Privacy {
  ipAddress: PrivacyMode
  userAgent: PrivacyMode
}
export const PRIVACY_MODES = ['keep', 'truncate', 'drop'] as const
export type PrivacyMode = (typeof PRIVACY_MODES)[number]

/** Stands for what cannot be truncated because it is not what it should be; no field takes a list, so it is refused. */
const WITHHELD = ['withheld']

/** An interaction, checked or not, without what must not be stored. */
export function withPrivacy(item: unknown, { ipAddress, userAgent }: Privacy): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
  let kept: Record<string, unknown> | undefined
  const change = (field: string, mode: PrivacyMode, truncated: (text: string) => unknown) => {
    if (mode === 'keep' || !(field in item)) return
    kept ??= { ...item }
    if (mode === 'drop') delete kept[field]
    else kept[field] = typeof kept[field] === 'string' ? truncated(kept[field]) : WITHHELD
  }
  change('ip_address', ipAddress, truncateIp)
  change('user_agent', userAgent, truncateUserAgent)
  return kept ?? item
}

/** An IPv4 address in the second and third group (6to4, RFC 3056), of which /48 would keep all. */
const SIX_TO_FOUR = 0x2002

/** The network of an address: /24 of IPv4, /48 of IPv6. What is no address is withheld. */
export function truncateIp(address: string): unknown {
  if (isIPv4(address)) return address.replace(/\d+$/, '0')
  if (!isIPv6(address)) return WITHHELD
  const [first = 0, second = 0, third = 0] = groupsOfIpv6(address)
  const groups = [first, second, first === SIX_TO_FOUR ? third & 0xff00 : third]
  return `${groups.map((group) => group.toString(16)).join(':')}::`
}

/** All eight groups; `::` stands for as many zeros as are missing. An IPv4 address at the end is left out as zeros. */
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

/** A product's name of letters, and its major version; what follows is left out. */
const PRODUCT = /^([a-z][a-z._-]*)(?:$|\/(?:(\d{1,4})(?!\d))?)/i

/**
 * Products and their major versions: without comments and without other words, which tell device and system, and without
 * minor versions and build numbers.
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

/** Comments are in parentheses, within each other too; one that is not closed goes on to the end. */
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
