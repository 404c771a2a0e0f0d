import { noView } from '../../page/views/notice.ts'
import type { AnswerBrowser } from '../http/not-found.ts'
import { readAssets } from './assets.ts'
import { acceptsHtml } from './send-page.ts'
import { sendBare } from './serve-view.ts'

const TITLE = 'Not found'
const MESSAGE = 'There is no page at this address'

/** What a person sees who mistyped the address of a view. Addresses of the API are answered as for programs. */
export function createUnknownPage(): AnswerBrowser {
  const assets = readAssets()
  return (request, reply) => {
    const isOfPerson = ['GET', 'HEAD'].includes(request.method) && acceptsHtml(request) && !request.url.startsWith('/api/')
    if (!isOfPerson) return false
    const body = noView(TITLE, MESSAGE, { address: '/', label: 'Hot now' })
    sendBare({ assets }, request, reply.code(404), { title: TITLE, body })
    return true
  }
}
