import { z } from 'zod'
import { addressesIn } from '../../ingress/addresses.ts'
import { databaseAddresses } from '../../store/database/addresses.ts'

/** One http address, or several of the same Restate with commas between them. */
export function httpUrls(example: string) {
  return severalUrls({
    split: addressesIn,
    example,
    protocol: /^https?:$/,
    problemOf: httpProblemOf,
    problemOfAll: () => undefined,
  })
}

/** One address of PostgreSQL, or several of a primary and its standbys with commas between them. */
export const databaseUrls = severalUrls({
  split: databaseAddresses,
  example: 'postgres://user:password@host:5432/footfall',
  protocol: /^postgres(ql)?:$/,
  problemOf: ({ pathname }) => (pathname.includes(',') ? 'begin with postgres:// after each comma' : undefined),
  problemOfAll: (urls) => {
    const isSame = urls.every(({ pathname }) => pathname === urls[0]!.pathname)
    return isSame ? undefined : 'must name the same database in each address'
  },
})

interface Form {
  split: (text: string) => string[]
  example: string
  protocol: RegExp
  /** What is wrong with an address; undefined when nothing is. */
  problemOf: (url: URL) => string | undefined
  problemOfAll: (urls: URL[]) => string | undefined
}

/** The messages leave out the values, because these may contain passwords. */
function severalUrls(form: Form) {
  return z.string().superRefine((text, context) => {
    const message = problemIn(text, form)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
}

function problemIn(text: string, { split, example, protocol, problemOf, problemOfAll }: Form): string | undefined {
  if (/,\s*(,|$)/.test(text)) return 'has a comma without an address after it: remove the comma'
  const parts = split(text)
  const urls: URL[] = []
  for (const part of parts) {
    const each = parts.length === 1 ? 'must' : `has ${parts.length} addresses, and number ${urls.length + 1} must`
    const url = URL.parse(part)
    if (url === null || !protocol.test(url.protocol)) return `${each} be a URL such as ${example}`
    const problem = problemOf(url)
    if (problem !== undefined) return `${each} ${problem}`
    if (urls.some((other) => placeOf(other) === placeOf(url))) return `${each} differ from those before it`
    urls.push(url)
  }
  return problemOfAll(urls)
}

/** Addresses of the same place differ at most in their user and password. A path of a socket is in the search. */
function placeOf({ host, pathname, search }: URL): string {
  return host === '' ? `${pathname}${search}` : `${host}${pathname}`
}

function httpProblemOf(url: URL): string | undefined {
  if (url.hostname.includes(',')) return 'begin with http:// or https:// after each comma'
  if (url.username !== '' || url.password !== '') return 'have no user and no password, because Restate has no logins'
  return url.search === '' && url.hash === '' ? undefined : 'end before ? and #'
}
