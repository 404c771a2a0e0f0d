/** The page's style is inline. */
export const OPERATIONS_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

/** What the page shows of an OpenAPI document. */
interface ApiDocument {
  tags?: readonly { name: string; description?: string }[]
  paths?: Readonly<Record<string, object | undefined>>
}

interface Operation {
  method: string
  path: string
  summary: string
  tag: string
}

/** The page at /api: every operation of the document by its tag, and links to what the document leaves out. */
export function operationsPage(document: ApiDocument): string {
  const operations = operationsOf(document)
  const groups = (document.tags ?? []).map(({ name, description = '' }) => {
    const lines = operations.filter(({ tag }) => tag === name).map(lineOf)
    return `<h2>${escaped(name)}</h2>\n<p>${escaped(description)}</p>\n<ul>\n${lines.join('\n')}\n</ul>`
  })
  return `${HEAD}\n${groups.join('\n')}\n${FOOT}\n`
}

function operationsOf({ paths = {} }: ApiDocument): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries((methods ?? {}) as Record<string, { summary?: string; tags?: string[] }>).map(
      ([method, { summary = '', tags = [] }]) => ({ method: method.toUpperCase(), path, summary, tag: tags[0] ?? '' }),
    ),
  )
}

/** An address that a browser can open is a link. */
function lineOf({ method, path, summary }: Operation): string {
  const address = escaped(path)
  const isLink = method === 'GET' && !path.includes('{')
  const shown = isLink ? `<a href="${address}">${address}</a>` : address
  return `  <li><code>${method} ${shown}</code>: ${escaped(summary)}</li>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

const HEAD = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Operations of Footfall</title>
<style>body { font: 16px/1.6 system-ui; max-width: 44rem; margin: 4rem auto; padding: 0 1rem } code { background: #eee; padding: 0 .3em }</style>
<h1>Footfall</h1>
<p>What shoppers do, counted exactly once.</p>
<p><a href="/docs">/docs</a>: the whole API, to be tried out; <a href="/openapi.json">/openapi.json</a>: the same for programs; <a href="/metrics">/metrics</a>: for Prometheus</p>`

const FOOT = '</html>'
