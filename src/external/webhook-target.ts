import { BlockList, isIP } from 'node:net'

/**
 * Networks of special use, to which no delivery goes: not reachable from everywhere by the registries of RFC 6890, or multicast. Outsiders
 * must not reach a server there through Footfall.
 */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
/** Of IPv6 only 2000::/3 is given to the internet: mapped IPv4 addresses, NAT64, link-local and unique local ones are outside. */
const INTERNET_IPV6 = ['2000::', 3] as const
/** Inside it: protocols such as Teredo, documentation, and 6to4, which has an IPv4 address inside. */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const special = new BlockList()
for (const [net, prefix] of SPECIAL_IPV4) special.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of SPECIAL_IPV6) special.addSubnet(net, prefix, 'ipv6')
const internet = new BlockList()
internet.addSubnet(...INTERNET_IPV6, 'ipv6')

/** Whether an IP address is one of the internet, and not of special use. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  // BlockList compares a mapped address as IPv4, so the test for 2000::/3 comes first.
  return family === 6 && !address.includes('%') && internet.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

/** The host of a URL as an address or a name: IPv6 without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

/**
 * What is wrong with the address of a webhook, as far as it shows without DNS; undefined when nothing is. Every form of an IPv4 address
 * (0x7f.1, 2130706433) is the address that browsers make of it.
 */
export function targetProblem(text: string, allowsPrivate: boolean): string | undefined {
  // URL.parse leaves tabs and line feeds out.
  if (/[\s\p{Cc}]/u.test(text)) return 'must not have blanks or control characters'
  const url = URL.parse(text)
  if (url === null || !/^https?:\/\//i.test(text)) return 'must be a URL that begins with https:// or http://'
  if (url.username !== '' || url.password !== '') return 'must not have a user or a password'
  if (url.hash !== '' || text.includes('#')) return 'must not have a fragment'
  if (url.port === '0') return 'must not have the port 0'
  const host = hostOf(url)
  const isPrivate = isIP(host) === 0 ? /(^|\.)localhost\.?$/.test(host) : !isPublicAddress(host)
  return isPrivate && !allowsPrivate ? PRIVATE : undefined
}

export const PRIVATE =
  'names an address of this machine, of a private network or of another special use, which ALERT_PRIVATE_TARGETS would have to allow'
