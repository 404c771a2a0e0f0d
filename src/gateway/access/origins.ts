/** A host under at least two labels, because `*.com` would be every shop. */
const WILDCARD = /^https?:\/\/\*\.[^*.:/]+(?:\.[^*.:/]+)+(?::\d+)?$/
/** Such as co.uk and com.au, under which anyone may register a name. A list of all of them has 10,000 lines and changes every week. */
const ABOVE_SHOPS = /\*\.(?:ac|co|com|edu|gob|gov|gv|ltd|me|ne|net|nom|or|org|plc|sch)\.[a-z]{2}(?::\d+)?$/
const FIRST_LABEL = /^(https?:\/\/)[a-z0-9_-]+(?=\.)/

/**
 * An origin as browsers write it, scheme, host and port; or all origins whose first label differs, such as https://*.shop.example.
 * Undefined for another text.
 */
export function originOf(text: string): string | undefined {
  const origin = URL.parse(text)?.origin
  if (origin === undefined || origin === 'null' || origin !== text.replace(/\/$/, '')) return undefined
  return !origin.includes('*') || (WILDCARD.test(origin) && !ABOVE_SHOPS.test(origin)) ? origin : undefined
}

/** Why a text is no origin of a key, with what to write. */
export function originProblem(text: string): string {
  const { origin = '', href } = URL.parse(text) ?? {}
  if (ABOVE_SHOPS.test(origin)) return `Anyone may register a name under ${origin.replace(/^.*\*\./, '')}: name your own.`
  if (href === `${origin}/` && !text.includes(',') && originOf(origin) !== undefined)
    return `Browsers write it as ${origin}: give that.`
  return 'It is the scheme and host of a page, such as https://shop.example, or https://*.shop.example for any one label before a name of two or more.'
}

/** Whether the origin of a page is one of a key's: itself, or with any first label. `https://*.shop.example` is not https://shop.example. */
export function isOneOf(origin: string, origins: ReadonlySet<string>): boolean {
  return origins.has(origin) || origins.has(origin.replace(FIRST_LABEL, '$1*'))
}
