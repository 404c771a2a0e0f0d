import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { sendProblem } from './problem.ts'
import { shownPathOf } from './request-log.ts'

/** Answers a browser that a page does not exist, or does not take the method; false for every other request. */
export type AnswerBrowser = (request: FastifyRequest, reply: FastifyReply, code: 'not_found' | 'method_not_allowed') => boolean

/**
 * Answers requests that match no route, before their bodies are read: 405 with the methods of a known address, 404 for any other. To be
 * called after the hooks that may turn a request away, and before the first route.
 */
export function answerUnknownRoutes(app: FastifyInstance, answerBrowser: AnswerBrowser): void {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    routes.set(url, route)
    for (const name of [method].flat()) route.methods.add(name)
  })
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?')[0]!
    const methods = [...routes.values()].find(({ pattern }) => pattern.test(path))?.methods
    if (methods === undefined || methods.has(request.method)) {
      if (answerBrowser(request, reply, 'not_found')) return reply
      return sendProblem(reply, new DecidedError('not_found', `there is no ${request.method} ${shownPathOf(path)}`))
    }
    const allowed = [...methods].toSorted().join(', ')
    reply.header('allow', allowed)
    if (answerBrowser(request, reply, 'method_not_allowed')) return reply
    return sendProblem(reply, new DecidedError('method_not_allowed', `this address takes ${allowed}`))
  }
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answer(request, reply)
    else done()
  })
  app.setNotFoundHandler(answer)
}

/** A parameter matches the text between two slashes, a star the rest. */
function patternOf(url: string): RegExp {
  const source = url.replaceAll(/[.+?^$()[\]{}|\\]/g, String.raw`\$&`)
  return new RegExp(`^${source.replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.*')}$`)
}
