/** Host names and ports of libpq's form `postgres://user:password@host1:5432,host2:5432/database`. */
const SEVERAL_HOSTS = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^@/?#]*,[^@/?#]*)([/?#].*)?$/i

/**
 * The addresses in a text with commas between them: whole addresses, or the hosts of one address in libpq's form. A comma in a password is
 * none of these.
 */
export function databaseAddresses(text: string): string[] {
  return text.split(/\s*,\s*(?=postgres(?:ql)?:\/\/)/i).flatMap((part) => {
    const [, before = '', hosts, after = ''] = SEVERAL_HOSTS.exec(part.trim()) ?? []
    return hosts === undefined ? [part.trim()] : hosts.split(',').map((host) => `${before}${host.trim()}${after}`)
  })
}

/** Where a pool opens its connections: at one of several addresses, until one of its connections finds out that this is not the primary. */
export interface Route {
  /** How many addresses there are. */
  count: number
  current: () => string
  /** Goes on to the next address, unless another connection did. */
  leave: (address: string) => void
}

export function routeOver(text: string): Route {
  const addresses = databaseAddresses(text)
  let place = 0
  return {
    count: addresses.length,
    current: () => addresses[place]!,
    leave: (address) => {
      if (address === addresses[place]) place = (place + 1) % addresses.length
    },
  }
}
