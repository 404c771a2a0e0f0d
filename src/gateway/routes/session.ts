import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { hashOfId, type StoredSession } from '../../store/access/session.ts'
import {
  isOfOwnPage,
  isOfOwnPageOrProgram,
  lacksTls,
  newSessionId,
  noSessionCookie,
  sessionCookie,
  shownSessionId,
} from '../access/session-cookie.ts'
import { sellerCaller } from '../access/caller.ts'
import { createSignIn } from '../access/sign-in.ts'
import { acceptsHtml } from '../page/send-page.ts'
import { type Asking, createChangeAccess } from '../recording/change-access.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const SHOWN_CHARACTERS_MAX = 16_000
const ADDRESS_CHARACTERS_MAX = 4_000
const SIGN_IN = '/sign-in'

const text = z.string().max(SHOWN_CHARACTERS_MAX).optional()
const SignInForm = z.strictObject({ key: text, token: text, next: z.string().max(ADDRESS_CHARACTERS_MAX).optional() })

const config = { takesForm: true } as const
const querystring = z.strictObject({})
const START = { config, schema: { hide: true, body: SignInForm, querystring } } as const satisfies RouteShorthandOptions
const END = { config, schema: { hide: true, querystring } } as const satisfies RouteShorthandOptions

/** What the page of the form says about an error. */
const ERRORS: Partial<Record<DecidedError['code'], string>> = {
  unauthorized: 'wrong',
  rate_limited: 'limited',
  forbidden: 'wrong',
}

/** Signs people in and out. Both addresses take forms of the page, and programs may use them too. */
export function sessionRoutes({ access, settings, budgets, ...deps }: RouteDeps): RoutePlugin {
  const signIn = createSignIn(access, budgets)
  const changeAccess = createChangeAccess(deps)
  const currentOf = async (request: FastifyRequest) => {
    const id = shownSessionId(request)
    return id === undefined ? undefined : access.sessionOf(hashOfId(id))
  }

  const start = async (request: FastifyRequest, form: z.infer<typeof SignInForm>): Promise<string | undefined> => {
    if (lacksTls(request)) throw new DecidedError('forbidden', 'browsers keep a session only with TLS, or on this machine')
    const { areUsed } = await access.keys()
    // Without keys this machine may do everything, and needs no session.
    if (!areUsed && !settings.isPublic) return undefined
    const { caller, expiresAt } = await signIn(request, form)
    const before = await currentOf(request)
    // Always a new id, so that an id which a browser was given by another page is worth nothing.
    const id = newSessionId()
    const session = { session_id: randomUUID(), id_sha256: hashOfId(id) }
    const change = { change: 'start_session', ...session, ...(expiresAt && { expires_at: expiresAt.toISOString() }) } as const
    await changeAccess(request, change, caller)
    if (before !== undefined) await endOwn(request, before)
    return id
  }

  const endOwn = (request: FastifyRequest, session: StoredSession) =>
    changeAccess(request, { change: 'end_session', session_id: session.sessionId }, ownerOf(session))

  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/session', START, async (request, reply) => {
      if (!lacksTls(request) && !isOfOwnPageOrProgram(request)) {
        throw new DecidedError('forbidden', 'only the page of this address signs in')
      }
      const { next } = request.body
      try {
        const id = await start(request, request.body)
        if (id !== undefined) reply.header('set-cookie', sessionCookie(request, id))
        return await goTo(reply, localAddress(next) ?? '/')
      } catch (error) {
        const told = error instanceof DecidedError && acceptsHtml(request) ? errorFor(request, error) : undefined
        if (told === undefined) throw error
        const query = new URLSearchParams({ error: told, ...(localAddress(next) && { next: localAddress(next)! }) })
        return goTo(reply, `${SIGN_IN}?${query.toString()}`)
      }
    })

    routes.post('/session/end', END, async (request, reply) => {
      if (!isOfOwnPage(request)) throw new DecidedError('forbidden', 'only the page of this address signs out')
      reply.header('set-cookie', noSessionCookie(request))
      const session = await currentOf(request)
      if (session !== undefined) await endOwn(request, session)
      return goTo(reply, SIGN_IN)
    })
  }
}

function errorFor(request: FastifyRequest, { code, details }: DecidedError): string | undefined {
  if (lacksTls(request)) return 'insecure'
  return details !== undefined && 'is_publishable' in details ? 'publishable' : ERRORS[code]
}

function ownerOf({ keyId, sellerId }: StoredSession): Asking {
  return keyId === null ? sellerCaller(sellerId!) : { keyId, sellerId }
}

/** A new page for the browser, whatever its request was. */
function goTo(reply: FastifyReply, address: string): FastifyReply {
  return reply.header('cache-control', 'no-store').redirect(address, 303)
}

/** An address of this gateway; undefined for one that leads elsewhere. */
export function localAddress(text: string | undefined): string | undefined {
  if (text === undefined || !text.startsWith('/')) return undefined
  // Of a name that ends in .invalid there is no page.
  const base = 'http://own.invalid'
  const url = URL.parse(text, base)
  if (url === null || url.origin !== base) return undefined
  const address = url.pathname + url.search
  // A browser takes what follows two slashes for a host.
  return address.startsWith('//') ? undefined : address
}
