const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether an address or an origin is this machine's. */
export function isLoopback(address: string): boolean {
  return LOOPBACK_NAMES.has(URL.parse(address)?.hostname ?? '')
}
