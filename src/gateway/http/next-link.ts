import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OFFSET_MAX } from '../../contract/fields/page.ts'

/** What a page of any list may say about the pages after it. */
interface Paged {
  data?: unknown
  meta?: { next_cursor?: unknown; row_count?: unknown }
}

/** Adds `Link: <…>; rel="next"` to each page that another one follows, for programs that know the header and not the list. */
export function linkPages(app: FastifyInstance): void {
  app.addHook('preSerialization', (request, reply, payload, done) => {
    if (isPageOf(request)) {
      const next = nextOf(request, payload as Paged)
      if (next !== undefined) reply.header('link', linkTo(request, next))
    }
    done(null, payload)
  })
}

/** The header of a page whose body is no object any more. */
export function linkToCursor(request: FastifyRequest, cursor: string | null): Record<string, string> {
  return cursor === null ? {} : { link: linkTo(request, { cursor }) }
}

/** Every paged list takes one of the two. */
function isPageOf({ method, query }: FastifyRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && typeof query === 'object' && query !== null && 'limit' in query
}

function nextOf({ query }: FastifyRequest, { data, meta }: Paged): { cursor: string } | { offset: string } | undefined {
  if (typeof meta?.next_cursor === 'string') return { cursor: meta.next_cursor }
  const { limit, offset } = query as { limit?: unknown; offset?: unknown }
  const rows = meta?.row_count ?? (data as { row_count?: unknown } | undefined)?.row_count
  if (typeof rows !== 'number' || typeof limit !== 'number' || typeof offset !== 'number') return undefined
  const next = offset + limit
  return next < rows && next <= OFFSET_MAX ? { offset: String(next) } : undefined
}

/** Relative to the address of the request, so that it stays right behind a proxy that changes the path. */
function linkTo({ url }: FastifyRequest, changed: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '')
  for (const [name, value] of Object.entries(changed)) parameters.set(name, value)
  return `<?${parameters.toString()}>; rel="next"`
}
