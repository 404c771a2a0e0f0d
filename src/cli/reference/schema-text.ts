/** The parts of JSON Schema that the contract uses. */
export interface JsonSchema {
  type?: string | string[]
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  enum?: (string | number)[]
  format?: string
  default?: unknown
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
}

const FORMATS: Record<string, string> = {
  'date-time': 'instant (RFC 3339)',
  date: 'day (2026-03-01)',
  uuid: 'UUID',
  ipv4: 'IPv4 address',
  ipv6: 'IPv6 address',
}

/** The type of a value in words, as Markdown. `objectText` says how an object with known fields is called. */
export function typeText(schema: JsonSchema, objectText: (schema: JsonSchema) => string): string {
  const { type, anyOf, items, minItems, maxItems } = schema
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (anyOf !== undefined) return [...new Set(anyOf.map((choice) => typeText(choice, objectText)))].join(' or ')
  if (Array.isArray(type)) return type.map((each) => typeText({ ...schema, type: each }, objectText)).join(' or ')
  if (type === 'array') {
    const count = rangeText(minItems, maxItems)
    const item = typeText(items ?? {}, objectText).replace(/^(whole number|text|object|UUID)\b/, '$1s')
    return `list ${count === '' ? '' : `(${count}) `}of ${item}`
  }
  if (type === 'object') return schema.properties === undefined ? 'object with any keys' : objectText(schema)
  return scalarText(schema)
}

function scalarText({ type, format = '', minimum, maximum, minLength, maxLength }: JsonSchema): string {
  if (type === 'integer') return ['whole number', rangeText(minimum, maximum)].filter(Boolean).join(', ')
  if (type !== 'string') return type === undefined ? 'any JSON' : String(type)
  if (format in FORMATS) return FORMATS[format]!
  const length = rangeText(minLength, maxLength)
  return length === '' ? 'text' : `text, ${length} characters`
}

/** `1 to 100`. The bounds of safe integers are left out. */
function rangeText(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): string {
  const hasMin = min > Number.MIN_SAFE_INTEGER
  const hasMax = max < Number.MAX_SAFE_INTEGER
  if (hasMin && hasMax) return `${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  if (hasMax) return `at most ${max.toLocaleString('en')}`
  return hasMin ? `at least ${min.toLocaleString('en')}` : ''
}
