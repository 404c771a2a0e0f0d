import type { FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_OF_CODE } from '../../contract/error.ts'
import { addressOf, sellerAddress } from '../../page/template/address.ts'
import { isProblem } from '../../page/template/answer.ts'
import type { HeaderState } from '../../page/template/header-state.ts'
import { askAgainPage, changedParts, type Frame, wholePage } from '../../page/template/shell.ts'
import { noView, withNotice } from '../../page/views/notice.ts'
import type { Assets } from './assets.ts'
import { checkedFilters } from './filters.ts'
import { headerStateOf, scopesOf, viewsFor } from './header.ts'
import type { PageApi } from './page-api.ts'
import { asksForParts, sendPage } from './send-page.ts'
import type { ActionRequest, PageView, ShownView, ViewRequest } from './view.ts'

/** What serving a view needs. */
export interface Page {
  views: readonly PageView[]
  assets: Assets
  apiOf: (request: FastifyRequest) => PageApi
}

/** Answers a request for a view: the whole page, or its changed parts. */
export async function serveView(page: Page, view: PageView, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const elsewhere = ownViewOf(view, request) ?? firstViewOf(page, view, request) ?? shortAddressOf(request)
  if (elsewhere !== undefined) return reply.redirect(elsewhere, 303)
  const api = page.apiOf(request)
  const viewRequest = viewRequestOf(request)
  const sending = { page, request, reply, api, nowMs: viewRequest.nowMs }
  if (!viewRequest.scopes.includes(view.access)) return sendShown({ ...sending, view: undefined }, notAllowed(view))
  const render = async () => {
    const refusals = noteRefusals(api)
    // At the same time, so that parts without an answer and the header wait no longer than one of them.
    const { query, problem } = checkedFilters(view.filters ?? {}, viewRequest.query)
    const [shown, state] = await Promise.all([view.show(refusals.api, { ...viewRequest, query }), stateOf(sending)])
    const isRefused = problem !== undefined || refusals.areThere()
    const status = shown.status ?? (isRefused ? STATUS_OF_CODE.invalid_request : undefined)
    const body = problem === undefined ? shown.body : withNotice(`The filter ${problem}.`, shown.body)
    return rendered({ ...sending, view }, { ...shown, body, status }, state)
  }
  // Browsers that watch a view ask for its parts again and again, and rendering is most of what that costs.
  const isWatched = view.isLive === true && asksForParts(request)
  return sendRendered(reply, await (isWatched ? api.share(request.url, render) : render()))
}

/** Notes whether the API refuses a question: the address then has a filter that cannot be, which a part of the view says. */
function noteRefusals(api: PageApi): { api: PageApi; areThere: () => boolean } {
  let areThere = false
  const get = async (...question: Parameters<PageApi['get']>) => {
    const answer = await api.get<object>(...question)
    areThere ||= isProblem(answer) && answer.error.code === 'invalid_request'
    return answer
  }
  return { api: { ...api, get: get as PageApi['get'] }, areThere: () => areThere }
}

/** The address without the filters of a form that have no value; undefined when it has none. */
function shortAddressOf(request: FastifyRequest): string | undefined {
  if (asksForParts(request)) return undefined
  const [path = ''] = request.url.split('?', 1)
  const parameters = [...new URLSearchParams(request.url.slice(path.length))]
  const withValue = parameters.filter(([, value]) => value.trim() !== '')
  if (withValue.length === parameters.length) return undefined
  return withValue.length === 0 ? path : `${path}?${new URLSearchParams(withValue).toString()}`
}

/** Does what a form of a view asks for. Afterwards the browser asks for the view, so that a reload does not repeat it. */
export async function serveAction(
  page: Page,
  view: PageView,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const api = page.apiOf(request)
  const asked = viewRequestOf(request)
  const viewRequest = { ...asked, query: checkedFilters(view.filters ?? {}, asked.query).query }
  const actionRequest: ActionRequest = { ...viewRequest, form: textsOf(request.body) }
  const action = actionOf(view, actionRequest.form['action'])
  const result = action === undefined ? { problem: 'there is no such action' } : await action(api, actionRequest)
  if ('goTo' in result) return reply.redirect(result.goTo, 303)
  const sending = { page, view, request, reply, api, nowMs: viewRequest.nowMs }
  if ('body' in result) return sendShown(sending, result)
  const { title, body } = await view.show(api, viewRequest)
  return sendShown(sending, { title, body: withNotice(result.problem, body), status: result.status ?? 422 })
}

function actionOf({ actions = {} }: PageView, name: string | undefined) {
  return name !== undefined && Object.hasOwn(actions, name) ? actions[name] : undefined
}

/** A view with its status, 200 if undefined. */
type Shown = Omit<ShownView, 'status'> & { status?: number | undefined }

interface Sending {
  page: Page
  view: PageView | undefined
  request: FastifyRequest
  reply: FastifyReply
  api: PageApi
  nowMs: number
}

async function sendShown(sending: Sending, shown: Shown): Promise<FastifyReply> {
  return sendRendered(sending.reply, rendered(sending, shown, await stateOf(sending)))
}

function stateOf({ api, request, nowMs }: Pick<Sending, 'api' | 'request' | 'nowMs'>): Promise<HeaderState> {
  return headerStateOf(api, request.apiKey, nowMs)
}

interface Rendered {
  text: string
  status: number | undefined
}

function sendRendered(reply: FastifyReply, { text, status }: Rendered): FastifyReply {
  if (status !== undefined) reply.code(status)
  return sendPage(reply, text)
}

function rendered(
  { page, view, request }: Pick<Sending, 'page' | 'view' | 'request'>,
  { title, body, status }: Shown,
  state: HeaderState,
): Rendered {
  const views = viewsFor(request.apiKey, page.views, view)
  const frame: Frame = {
    title,
    views,
    canSearch: views.some(({ path }) => path === '/products'),
    state,
    isLive: view?.isLive ?? false,
    assets: page.assets.addresses(view?.hasChart ?? false),
  }
  return { text: (asksForParts(request) ? changedParts : wholePage)(frame, body), status }
}

/** A page without views around it: for signing in, and for what a caller may not see. */
export function sendBare(
  page: Pick<Page, 'assets'>,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: ShownView,
): FastifyReply {
  const frame: Frame = {
    title: shown.title,
    views: [],
    canSearch: false,
    state: { nowMs: Date.now() },
    isLive: false,
    assets: page.assets.addresses(false),
  }
  return sendPage(reply, (asksForParts(request) ? changedParts : wholePage)(frame, shown.body))
}

/**
 * For a browser that followed a link of another site: cookies of a session do not come along. It asks again by itself, from this site.
 */
export function sendAgain(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendPage(reply, askAgainPage(request.url))
}

/** The caller of one seller sees that seller's view instead of every other one. */
function ownViewOf({ ofSeller = false }: PageView, { apiKey }: FastifyRequest): string | undefined {
  if (ofSeller || apiKey === null || apiKey.sellerId === null) return undefined
  return sellerAddress(apiKey.sellerId)
}

/** The address of the gateway itself leads a caller that may not see Hot now to its first view. */
function firstViewOf(page: Page, { path, access }: PageView, { apiKey }: FastifyRequest): string | undefined {
  if (path !== '/' || scopesOf(apiKey).includes(access)) return undefined
  return viewsFor(apiKey, page.views, undefined)[0]?.path
}

/** In the place of a view that needs another scope. The header has the views that the caller may open, and signing out. */
function notAllowed({ access }: PageView): ShownView {
  const next = { address: '/sign-in', label: 'Sign in with another key' }
  const body = noView('Not allowed', `the key does not have the scope ${access}`, next)
  return { title: 'Not allowed', body, status: STATUS_OF_CODE.forbidden }
}

/** Where a browser signs in before it comes back. */
export function signInAddress({ url }: FastifyRequest): string {
  return addressOf('/sign-in', { next: url === '/' ? undefined : url })
}

function viewRequestOf(request: FastifyRequest): ViewRequest {
  return {
    params: request.params as Record<string, string>,
    query: textsOf(request.query),
    nowMs: Date.now(),
    scopes: scopesOf(request.apiKey),
    sellerId: request.apiKey?.sellerId ?? null,
  }
}

function textsOf(values: unknown): Record<string, string> {
  const texts = Object.entries((values ?? {}) as Record<string, unknown>).flatMap(([name, value]) => {
    const text: unknown = Array.isArray(value) ? value[0] : value
    return typeof text === 'string' && text.trim() !== '' ? [[name, text] as const] : []
  })
  return Object.fromEntries(texts)
}
