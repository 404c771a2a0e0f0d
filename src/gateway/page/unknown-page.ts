import { STATUS_OF_CODE } from '../../contract/error.ts'
import { noView } from '../../page/views/notice.ts'
import type { AnswerBrowser } from '../http/not-found.ts'
import { readAssets } from './assets.ts'
import { acceptsHtml } from './send-page.ts'
import { sendBare } from './serve-view.ts'

const SHOWN = {
  not_found: { title: 'Not found', message: 'There is no page at this address' },
  method_not_allowed: { title: 'This did not work', message: 'The page at this address does not take what was sent' },
} as const

/** What a person sees who mistyped the address of a view, or sent it a form. Addresses of the API are answered as for programs. */
export function createUnknownPage(): AnswerBrowser {
  const assets = readAssets()
  return (request, reply, code) => {
    const isForPage = code === 'method_not_allowed' || ['GET', 'HEAD'].includes(request.method)
    if (!isForPage || !acceptsHtml(request) || request.url.startsWith('/api/')) return false
    const { title, message } = SHOWN[code]
    const body = noView(title, message, { address: '/', label: 'Hot now' })
    sendBare({ assets }, request, reply.code(STATUS_OF_CODE[code]), { title, body })
    return true
  }
}
