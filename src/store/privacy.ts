import { isIPv4, isIPv6 } from 'node:net'

/** What becomes of the two fields that tell a person's device, before anything is stored. */
export interface Privacy {
  ipAddress: PrivacyMode
  userAgent: PrivacyMode
}
export const PRIVACY_MODES = ['keep', 'truncate', 'drop'] as const
export type PrivacyMode = (typeof PRIVACY_MODES)[number]

export const KEEP_ALL: Privacy = { ipAddress: 'keep', userAgent: 'keep' }

/** Stands for what cannot be truncated because it is not what it should be; the field is then refused without being kept. */
const WITHHELD = 'withheld'

/** An interaction, checked or not, without what must not be stored. */
export function withPrivacy(item: unknown, { ipAddress, userAgent }: Privacy): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
  let kept: Record<string, unknown> | undefined
  const change = (field: string, mode: PrivacyMode, truncated: (text: string) => string) => {
    if (mode === 'keep' || !(field in item)) return
    kept ??= { ...item }
    if (mode === 'drop') delete kept[field]
    else kept[field] = typeof kept[field] === 'string' ? truncated(kept[field]) : WITHHELD
  }
  change('ip_address', ipAddress, truncateIp)
  change('user_agent', userAgent, truncateUserAgent)
  return kept ?? item
}

/** The network of an address: /24 of IPv4, /48 of IPv6. */
export function truncateIp(address: string): string {
  if (isIPv4(address)) return address.replace(/\d+$/, '0')
  if (!isIPv6(address)) return WITHHELD
  const groups = groupsOfIpv6(address).slice(0, 3)
  return `${groups.map((group) => group.toString(16)).join(':')}::`
}

/** The first three groups as far as they are written; `::` stands for as many zeros as are missing. */
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

/** Products and their major versions: without the comments, which tell device and system, and without minor versions. */
export function truncateUserAgent(text: string): string {
  const products = text.replaceAll(/\([^()]*(?:\([^()]*\)[^()]*)*\)?/g, ' ').split(/\s+/)
  return (
    products
      .map((product) => product.replace(/^([^/]+\/\d+).*$/, '$1'))
      .filter(Boolean)
      .join(' ') || 'unknown'
  )
}
