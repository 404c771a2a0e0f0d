import { isForOperators, OPERATOR_TOKEN_HEADER } from '../../contract/handler.ts'
import { SERVICE_APIS } from '../../contract/services.ts'
import { code, pageOf, plain, tableOf } from './markdown.ts'
import { createSchemaSections, type SchemaSections } from './schema-sections.ts'

const INTRO = `Other services call these handlers through Restate's ingress: with a [typed client](typescript.md) of \`@footfall/server/contract\`, or with JSON, e.g.
\`POST /Analytic/CreateInteraction\`, and \`POST /RecomputeRun/KEY/Start\` for an object. Private handlers are called by other handlers only,
and the ingress refuses every other caller. Where \`OPERATOR_TOKEN_FILE\` is set, handlers for operators take only calls with its token in the
header \`${OPERATOR_TOKEN_HEADER}\`, and answer 403 to others. Public handlers and those for operators answer 403 to web pages of other sites.

For a moment after its start, Restate answers 404 with \`"source":"ingress"\`, because it does not know the services yet. Nothing was
recorded then: send the call again.`

const OBJECT = 'A virtual object: calls with the same key run one at a time, except calls of handlers that only read.'

/** A test compares the descriptions that start with this to the handlers that Restate's ingress refuses. */
const PRIVATE = 'Private. '

/** The facts of a handler that its descriptor has. */
interface Handler {
  _inputSerde?: { jsonSchema?: object } | undefined
  _outputSerde?: { jsonSchema?: object } | undefined
  _description?: string | undefined
  _metadata?: Record<string, string>
}

/** Every handler of every service, with its input and output, and the fields of their schemas. */
export function handlersPage(): string {
  const schemas = createSchemaSections()
  const services = SERVICE_APIS.flatMap((api) => [
    `## ${api.name}`,
    ...(api._kind === 'object' ? [OBJECT] : []),
    tableOf(
      ['handler', 'access', 'input', 'output', 'description'],
      Object.entries<Handler>(api._handlers).map(([name, handler]) => rowOf(name, handler, schemas)),
    ),
  ])
  return pageOf({
    title: 'Handlers',
    intro: INTRO,
    source: 'src/contract',
    sections: [...services, '## Schemas', ...schemas.sections()],
  })
}

function rowOf(name: string, handler: Handler, schemas: SchemaSections): string[] {
  const { _inputSerde, _outputSerde, _description = '' } = handler
  const isPrivate = _description.startsWith(PRIVATE)
  const linkTo = (schema: object | undefined) => (schema === undefined ? 'nothing' : schemas.linkTo(schema, name))
  return [
    code(name),
    accessOf(handler, isPrivate),
    linkTo(_inputSerde?.jsonSchema),
    linkTo(_outputSerde?.jsonSchema),
    plain(isPrivate ? _description.slice(PRIVATE.length) : _description),
  ]
}

function accessOf(handler: Handler, isPrivate: boolean): string {
  if (isPrivate) return 'private'
  return isForOperators(handler) ? 'operators' : 'public'
}
