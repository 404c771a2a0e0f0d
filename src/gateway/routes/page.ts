import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { STATUS_OF_CODE } from '../../contract/error.ts'
import { noView } from '../../page/views/notice.ts'
import { signInView } from '../../page/views/sign-in.ts'
import { encodingIn } from '../http/compression.ts'
import { problemOf } from '../http/problem.ts'
import { ASSETS_PATH, readAssets } from '../page/assets.ts'
import { createPageApi } from '../page/page-api.ts'
import { asksForParts } from '../page/send-page.ts'
import { type Page, sendAgain, sendBare, serveAction, serveView, signInAddress } from '../page/serve-view.ts'
import type { PageView } from '../page/view.ts'
import { VIEWS } from '../views/all.ts'
import type { RoutePlugin } from './deps.ts'

const HIDDEN = { schema: { hide: true } } as const satisfies RouteShorthandOptions
const FOR_EVER = 'public, max-age=31536000, immutable'

/** The page for people: its views, its assets, and the form for signing in. */
export function pageRoutes(): RoutePlugin {
  return async (app) => {
    const page: Page = { views: VIEWS, assets: readAssets(), apiOf: createPageApi(app) }
    answerErrorsAsPages(app, page)
    for (const view of VIEWS) addView(app, page, view)

    app.get<{ Params: { name: string } }>(`${ASSETS_PATH}/:name`, HIDDEN, async (request, reply) => {
      const asset = page.assets.byName.get(request.params.name)
      if (asset === undefined) throw notFound('there is no such file; load the page again')
      const encoding = encodingIn(request.headers['accept-encoding'])
      reply.headers({ 'cache-control': FOR_EVER, vary: 'accept-encoding' }).type(asset.type)
      if (encoding === undefined) return reply.send(asset.plain)
      return reply.header('content-encoding', encoding).send(await (encoding === 'br' ? asset.brotli : asset.gzip)())
    })

    app.get<{ Querystring: { next?: string; error?: string } }>('/sign-in', HIDDEN, async (request, reply) => {
      const { next, error } = request.query
      return sendBare(page, request, reply, {
        title: 'Sign in',
        body: signInView({ next, problem: SIGN_IN_PROBLEMS.get(error ?? '') }),
      })
    })
  }
}

/** Why signing in failed, by the word in the address. */
const SIGN_IN_PROBLEMS = new Map([
  ['wrong', 'The key is not known, or was revoked.'],
  ['publishable', 'The key is publishable: it only sends events. Take a secret one.'],
  ['limited', 'Too many wrong keys from your address. Try again in a minute.'],
  ['insecure', 'A browser keeps a session only over https, or on the machine of the gateway.'],
])

function addView(app: FastifyInstance, page: Page, view: PageView): void {
  const { access, isPersonal = false } = view
  // Every secret key and every seller passes here: the scope decides whether the view is shown, or what there is instead.
  const options = { ...HIDDEN, config: { access: 'any', needsSecretKey: true, isPersonal, ofSeller: true } as const }
  app.get(view.path, options, (request, reply) => serveView(page, view, request, reply))
  if (view.actions === undefined) return
  const own = { ...HIDDEN, config: { access, isPersonal, ofSeller: view.ofSeller ?? false, takesForm: true } }
  app.post(view.path, own, (request, reply) => serveAction(page, view, request, reply))
}

/** A caller without a key is led to the form for signing in. Every other error is a sentence. */
function answerErrorsAsPages(app: FastifyInstance, page: Page): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    request.failure = problem.cause
    if (problem.code === 'unauthorized') return leadToSignIn(request, reply)
    reply.code(STATUS_OF_CODE[problem.code])
    const next =
      problem.code === 'forbidden'
        ? { address: '/sign-in', label: 'Sign in with another key' }
        : { address: '/', label: 'Hot now' }
    return sendBare(page, request, reply, { title: titleOf(problem), body: noView(titleOf(problem), problem.message, next) })
  })
}

function leadToSignIn(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (isLinkFromElsewhere(request)) return sendAgain(request, reply)
  const address = signInAddress(request)
  if (asksForParts(request)) return reply.code(401).header('hx-redirect', address).send()
  return reply.redirect(request.method === 'GET' ? address : '/sign-in', 303)
}

function isLinkFromElsewhere({ method, headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return method === 'GET' && (site === 'cross-site' || site === 'same-site')
}

function titleOf({ code }: DecidedError): string {
  if (code === 'forbidden') return 'Not allowed'
  return code === 'not_found' ? 'Not found' : 'This did not work'
}
