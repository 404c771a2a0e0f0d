import { request } from 'node:http'

export interface PageAnswer {
  status: number
  location: string | undefined
  cookie: string | undefined
  text: string
}

export interface PageRequest {
  path: string
  method?: string
  /** A value that is undefined leaves out what a browser would send. */
  headers?: Record<string, string | string[] | undefined>
  form?: Record<string, string>
}

/** What a browser sends with a request of a page of this gateway. */
export function ownPage(url: string): Record<string, string> {
  return { origin: url, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', accept: 'text/html,*/*;q=0.8' }
}

/** Sends a request as a browser does for a page of the gateway. Node's fetch sets headers of its own, so it is not used. */
export async function asPage(
  url: string,
  { path, form, method = form ? 'POST' : 'GET', ...more }: PageRequest,
): Promise<PageAnswer> {
  const { origin, ...ofPage } = ownPage(url)
  const own = method === 'GET' ? ofPage : { ...ofPage, origin }
  const body = form === undefined ? '' : new URLSearchParams(form).toString()
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  const given = Object.entries({ ...own, ...type, ...more.headers, 'content-length': `${Buffer.byteLength(body)}` })
  const headers = Object.fromEntries(given.filter(([, value]) => value !== undefined))
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const { location, 'set-cookie': [cookie] = [] } = answer.headers
        resolve({ status: answer.statusCode!, location, cookie, text: Buffer.concat(chunks).toString() })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Signs in with a key, or with what else the form has. @returns the cookie as a browser sends it. */
export async function signIn(url: string, form: Record<string, string>): Promise<string> {
  const { status, cookie = '', location, text } = await asPage(url, { path: '/session', form })
  if (status !== 303 || cookie === '') throw new Error(`not signed in: ${status} ${location} ${text}`)
  return cookie.split(';')[0]!
}
