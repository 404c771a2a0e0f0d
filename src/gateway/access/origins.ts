/** A host under at least two labels, because `*.com` would be every shop. */
const WILDCARD = /^https?:\/\/\*\.[^*.:/]+(?:\.[^*.:/]+)+(?::\d+)?$/
const FIRST_LABEL = /^(https?:\/\/)[a-z0-9_-]+(?=\.)/

/**
 * An origin as browsers write it, scheme, host and port; or all origins whose first label differs, such as https://*.shop.example.
 * Undefined for another text.
 */
export function originOf(text: string): string | undefined {
  const origin = URL.parse(text)?.origin
  if (origin === undefined || origin === 'null' || origin !== text.replace(/\/$/, '')) return undefined
  return !origin.includes('*') || WILDCARD.test(origin) ? origin : undefined
}

/** Whether the origin of a page is one of a key's: itself, or with any first label. `https://*.shop.example` is not https://shop.example. */
export function isOneOf(origin: string, origins: ReadonlySet<string>): boolean {
  return origins.has(origin) || origins.has(origin.replace(FIRST_LABEL, '$1*'))
}
