import fc from 'fast-check'
import { signatureOf } from '../../src/external/webhook-signature.ts'
import { bodiesOf, type Schema, textsOf, variantsOf } from './arbitrary.ts'

interface Parameter {
  in: 'query' | 'path' | 'header'
  name: string
  example?: string
  schema: Schema
}

export interface Operation {
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> }
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

/** An operation with its address. */
export interface Route {
  path: string
  method: string
  operation: Operation
}

export interface Case {
  path: string
  method: string
  headers: Record<string, string>
  body: string | undefined
}

const SIGNATURE = 'x-signature'

/** Headers are printable; other parameters are encoded as by a browser. */
const inHeader = (text: string) => text.replaceAll(/[^ -~]/g, '?').trim()

/** Often a value that means something to the server: the documented one, or for a header a text that was not sent before. */
function valuesOfParameter({ in: place, schema, example }: Parameter): fc.Arbitrary<string> {
  if (place === 'header') return fc.oneof(fc.uuid(), textsOf(schema))
  return example === undefined ? textsOf(schema) : fc.oneof(fc.constant(example), textsOf(schema))
}

/** Requests of a route. With a secret, most bodies that need a signature are signed, because the others are refused unread. */
export function casesOf({ path, method, operation }: Route, paymentSecret: string | undefined): fc.Arbitrary<Case> {
  const { parameters = [], requestBody } = operation
  const texts = parameters.map((parameter) => [parameter.name, valuesOfParameter(parameter)])
  const given = fc.record(Object.fromEntries(texts), {
    requiredKeys: parameters.filter((one) => one.in === 'path').map((one) => one.name),
  }) as fc.Arbitrary<Record<string, string | undefined>>
  const [contentType, content] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const body =
    content === undefined
      ? fc.constant(undefined)
      : fc.oneof(bodiesOf(content.schema), variantsOf(content.example)).map((value) => JSON.stringify(value))
  const isSigned = fc.integer({ min: 0, max: 9 }).map((chance) => chance > 0)
  return fc.record({ given, body, isSigned }).map(({ given: chosen, body: text, isSigned: signs }) => {
    const of = (place: string) =>
      parameters.flatMap((one) => (one.in === place && chosen[one.name] !== undefined ? [one.name] : []))
    const query = new URLSearchParams(of('query').map((name): [string, string] => [name, chosen[name]!])).toString()
    const filled = of('path').reduce(
      (sum, name) => sum.replace(`{${name}}`, encodeURIComponent(chosen[name]!.toWellFormed())),
      path,
    )
    const headers = Object.fromEntries(of('header').map((name) => [name, inHeader(chosen[name]!)]))
    if (text !== undefined && contentType !== undefined) headers['content-type'] = contentType
    const needsSignature = parameters.some(({ name }) => name === SIGNATURE)
    if (needsSignature && signs && text !== undefined && paymentSecret !== undefined) {
      headers[SIGNATURE] = signatureOf(text, paymentSecret, Date.now())
    }
    return { path: query === '' ? filled : `${filled}?${query}`, method: method.toUpperCase(), headers, body: text }
  })
}
